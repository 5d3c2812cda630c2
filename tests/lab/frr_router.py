"""FRR's bgpd alone: no zebra, no kernel routes, addresses of the loopback network."""

import json
import os
import subprocess

from process import LabError, find_program
from router import Router

ROLES = {"provider": "provider", "customer": "customer", "peer": "peer"}


class Frr(Router):
    CAN = {"md5-accepting", "md5-connecting", "ttl-security", "ttl-security-internal", "ipv6-transport", "role"}
    CAPABILITIES = ["route-refresh", "enhanced-route-refresh", "extended-message", "graceful-restart",
                    "4-octet-as"]

    def command(self):
        listen = [part for address in self.addresses() for part in ("-l", address)]
        return ["/usr/lib/frr/bgpd", "-f", self._config, "-i", self.scratch.file("frr.pid"), "-Z", "-n",
                "-S", "-p", str(self.port), "-P", "0", "--vty_socket", self._vty, *listen]

    @property
    def _config(self):
        return self.scratch.file("frr.conf")

    @property
    def _vty(self):
        return self.scratch.file("frr-vty")

    def write_config(self):
        os.makedirs(self._vty, exist_ok=True)
        lines = ["log stdout critical", f"router bgp {self.asn}",
                 f" bgp router-id {self.router_id}", " no bgp ebgp-requires-policy",
                 " no bgp default ipv4-unicast", " no bgp network import-check",
                 " timers bgp 10 30"]
        for s in self.sessions:
            n = f" neighbor {s.peer_address}"
            lines += [f"{n} remote-as {s.peer_as}", f"{n} update-source {s.address}",
                      f"{n} timers {max(1, s.hold_time // 3)} {s.hold_time}", f"{n} timers connect 1",
                      f"{n} advertisement-interval 0"]
            lines.append(f"{n} passive" if s.waits else f"{n} port {s.peer_port}")
            if s.password:
                lines.append(f"{n} password {s.password}")
            if s.ttl_security:
                lines.append(f"{n} ttl-security hops 1")
                if not self.internal(s):
                    lines.append(f"{n} disable-connected-check")
            elif not self.internal(s):
                lines.append(f"{n} ebgp-multihop 255")
            if s.role:
                lines.append(f"{n} local-role {ROLES[s.role]}")
        for place in self.places:
            n = f" neighbor {place.address}"
            lines += [f"{n} remote-as {place.asn}", f"{n} ebgp-multihop 255", f"{n} passive",
                      f"{n} update-source {self.feeder_address}"]
        for family in ("ipv4", "ipv6"):
            lines.append(f" address-family {family} unicast")
            for s in self.sessions:
                n = f"  neighbor {s.peer_address}"
                lines += [f"{n} activate", f"{n} attribute-unchanged next-hop",
                          f"{n} soft-reconfiguration inbound"]
                if s.add_path:
                    lines.append(f"{n} addpath-tx-all-paths")
            lines += [f"  neighbor {p.address} activate" for p in self.places]
            lines.append(" exit-address-family")
        with open(self._config, "w") as out:
            out.write("\n".join(lines) + "\n")

    def vtysh(self, *commands):
        parts = [part for c in commands for part in ("-c", c)]
        done = subprocess.run([find_program("vtysh"), "--vty_socket", self._vty, "-d", "bgpd", *parts],
                              capture_output=True, text=True, timeout=30)
        if done.returncode != 0 or "% " in done.stdout:
            raise LabError(f"vtysh {commands}: {done.stdout}{done.stderr}")
        return done.stdout

    def answers(self):
        self.process.check_alive()
        try:
            return "neighbor" in self.vtysh("show running-config")
        except LabError:
            return False

    def _neighbor(self, session):
        text = self.vtysh(f"show bgp neighbors {session.peer_address} json")
        return json.loads(text)[session.peer_address]

    def established(self, session):
        return self._neighbor(session)["bgpState"] == "Established"

    def announced(self, session):
        """{prefix: AS path as Lapwing must see it}, of what FRR says that it sends."""
        found = {}
        own = [] if self.internal(session) else [str(self.asn)]
        for family in ("ipv4", "ipv6"):
            text = self.vtysh(f"show bgp {family} unicast neighbors {session.peer_address} "
                              "advertised-routes json")
            for prefix, route in json.loads(text)["advertisedRoutes"].items():
                found[prefix] = " ".join(own + route["path"].split())
        return found

    def refresh_in(self, session):
        """FRR asks Lapwing for its routes once more."""
        self.vtysh(f"clear bgp {session.peer_address} soft in")

    def refresh_out(self, session):
        self.vtysh(f"clear bgp {session.peer_address} soft out")
        return True

    def reset(self, session):
        self.vtysh(f"clear bgp {session.peer_address}")

    def shut_down(self, session, text):
        self.configure(f"neighbor {session.peer_address} shutdown message {text}")

    def no_shut_down(self, session):
        self.configure(f"no neighbor {session.peer_address} shutdown")

    def configure(self, *lines):
        self.vtysh("configure terminal", f"router bgp {self.asn}", *lines)

    def told(self, session):
        """What FRR says about the end of the last session: for Lapwing's shutdown text."""
        return json.dumps(self._neighbor(session))
