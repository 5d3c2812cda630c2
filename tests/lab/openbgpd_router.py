"""OpenBGPD's portable bgpd. It drops its privileges itself and must be started by root."""

import json
import os
import subprocess

from process import LabError, Skip, find_program
from router import Router

CHROOT = "/run/openbgpd"  # the home of its user, which its unit would make


class OpenBgpd(Router):
    # Where it listens, this version does not give the kernel the key of a neighbour on Linux.
    CAN = {"md5-connecting", "ttl-security", "ttl-security-internal", "ipv6-transport", "role"}
    CAPABILITIES = ["route-refresh", "4-octet-as", "graceful-restart"]
    # 7.7 tells everybody, BIRD too, "route refresh: AID IPv4 unicast not negotiated".
    ANSWERS_REFRESH = False

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        if os.geteuid() != 0:
            raise Skip("OpenBGPD must be started by root")
        os.makedirs(CHROOT, exist_ok=True)

    def command(self):
        return ["/usr/sbin/bgpd", "-d", "-f", self._config]

    @property
    def _config(self):
        return self.scratch.file("bgpd.conf")

    @property
    def _socket(self):
        return self.scratch.file("bgpd.sock")

    def write_config(self):
        os.chmod(self.scratch.path, 0o755)
        lines = [f"AS {self.asn}", f"router-id {self.router_id}", f'socket "{self._socket}"',
                 "fib-update no", "nexthop qualify via default", "connect-retry 1"]
        lines += [f"listen on {a} port {self.port}" for a in self.addresses()]
        for s in self.sessions:
            lines += [f"neighbor {s.peer_address} {{", f"  remote-as {s.peer_as}",
                      f"  local-address {s.address}", f"  holdtime {s.hold_time}",
                      "  holdtime min 3"]
            lines.append("  passive" if s.waits else f"  port {s.peer_port}")
            lines += self._families()
            if s.password:
                lines.append(f'  tcp md5sig password "{s.password}"')
            if s.ttl_security:
                lines.append("  ttl-security yes")
            elif not self.internal(s):
                lines.append("  multihop 64")
            if s.role:
                lines.append(f"  announce policy {s.role} enforce")
            if s.add_path:
                lines.append("  announce add-path send all")
            lines.append("}")
        for place in self.places:
            lines += [f"neighbor {place.address} {{", f"  remote-as {place.asn}", "  passive",
                      f"  local-address {self.feeder_address}", "  multihop 64", *self._families(),
                      "}"]
        lines += ["allow from any", "allow to any", "match to any set nexthop no-modify"]
        with open(self._config, "w") as out:
            out.write("\n".join(lines) + "\n")
        os.chmod(self._config, 0o600)

    @staticmethod
    def _families():
        return ["  announce IPv4 unicast", "  announce IPv6 unicast", "  announce refresh yes",
                "  announce enhanced refresh yes"]

    def bgpctl(self, *words):
        done = subprocess.run([find_program("bgpctl"), "-s", self._socket, *words],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise LabError(f"bgpctl {words}: {done.stdout}{done.stderr}")
        return done.stdout

    def answers(self):
        self.process.check_alive()
        try:
            return all(s.peer_address in self.bgpctl("show", "neighbor") for s in self.sessions)
        except LabError:
            return False

    def established(self, session):
        return "Established" in self.bgpctl("show", "neighbor", session.peer_address)

    def announced(self, session):
        """{prefix: AS path as Lapwing must see it}, of what OpenBGPD says that it sends."""
        text = self.bgpctl("-j", "show", "rib", "out", "neighbor", session.peer_address)
        return {route["prefix"]: route["aspath"]
                for route in json.loads(text).get("rib", [])}

    def refresh_in(self, session):
        self.bgpctl("neighbor", session.peer_address, "refresh")

    def refresh_out(self, session):
        """It has no word for this; Lapwing must ask."""
        return False

    def wake(self, session):
        self.bgpctl("neighbor", session.peer_address, "clear")

    def reset(self, session):
        self.bgpctl("neighbor", session.peer_address, "clear")

    def shut_down(self, session, text):
        self.bgpctl("neighbor", session.peer_address, "down", text)

    def no_shut_down(self, session):
        self.bgpctl("neighbor", session.peer_address, "up")

    def told(self, session):
        return self.bgpctl("show", "neighbor", session.peer_address)
