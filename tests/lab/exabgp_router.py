"""ExaBGP: no RIB of its own, so what it sends is what a process of ours commands (exabgp_api.py)."""

import os
import socket
import sys

from process import find_program, wait_for
from router import Router

HERE = os.path.dirname(os.path.abspath(__file__))
NEXT_HOP = {False: "192.0.2.250", True: "2001:db8:ffff::250"}


class ExaBgp(Router):
    """`feed` takes one table: {prefix: path behind the feeder's ASN}, as the other routers do."""

    CAN = {"md5-accepting", "md5-connecting"}
    CAPABILITIES = ["route-refresh", "4-octet-as", "graceful-restart", "extended-message"]
    STAYS_DOWN = False
    FEEDER_AS = 64990

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.tables = [{}]
        self._sent = {}

    def command(self):
        return ["env", *(f"exabgp.{k}={v}" for k, v in {
            "tcp.bind": " ".join(sorted({s.address for s in self.sessions})), "tcp.port": self.port,
            "daemon.user": "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody"),
            "daemon.drop": "false", "daemon.daemonize": "false", "daemon.pid": "", "api.cli": "false",
            "api.ack": "true", "log.destination": "stdout", "log.level": "WARNING",
            "cache.attributes": "true", "bgp.openwait": "60"}.items()),
                find_program("exabgp"), self._config]

    @property
    def _config(self):
        return self.scratch.file("exabgp.conf")

    @property
    def _api(self):
        return self.scratch.file("exabgp.sock")

    def write_config(self):
        text = f"""\
process api {{
  run {sys.executable} {HERE}/exabgp_api.py {self._api};
  encoder text;
}}
"""
        # After a restart it has its table at once: otherwise it sends End-of-RIB before the table.
        routes = "\n".join("    " + self._line("", key, path, 1).strip() + ";"
                           for key, path in self._sent.items())
        for number, s in enumerate(self.sessions):
            text += f"""\
neighbor {s.peer_address} {{
  router-id {self.router_id};
  local-address {s.address};
  local-as {self.asn};
  peer-as {s.peer_as};
  hold-time {s.hold_time};
  {"passive true;" if s.waits else f"connect {s.peer_port};"}
  {f'md5-password "{s.password}";' if s.password else ""}
  family {{ ipv4 unicast; ipv6 unicast; }}
  capability {{ graceful-restart 60; route-refresh enable; extended-message enable;
               add-path {"send" if s.add_path else "disable"}; }}
  static {{
{routes}
  }}
  api commands{number} {{ processes [ api ]; }}
}}
"""
        with open(self._config, "w") as out:
            out.write(text)

    def start(self):
        if os.path.exists(self._api):
            os.unlink(self._api)
        return super().start()

    def answers(self):
        self.process.check_alive()
        return os.path.exists(self._api)

    def say(self, *commands):
        """Commands for ExaBGP; returns when its process has taken and passed on all of them."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self._api)
            s.sendall("".join(c + "\n" for c in commands).encode())
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass

    def feed(self, tables):
        wanted = {}
        for number, table in enumerate(tables):
            for prefix, path in table.items():
                wanted[prefix, number] = (self.FEEDER_AS + number, *path)
        commands = [self._line("withdraw", key, path, len(tables)) for key, path in self._sent.items()
                    if key not in wanted]
        fresh = {key: path for key, path in wanted.items() if self._sent.get(key) != path}
        if len(tables) == 1:
            commands += self._many(fresh)
        else:
            commands += [self._line("announce", key, path, len(tables))
                         for key, path in fresh.items()]
        self.say(*commands)
        self._sent = wanted

    def _line(self, verb, key, path, tables):
        prefix, number = key
        text = f"{verb} route {prefix} next-hop {NEXT_HOP[':' in prefix]}"
        if tables > 1:
            text += f" path-information 0.0.0.{number + 1}"
        return text + f" origin igp as-path [ {' '.join(map(str, (self.asn, *path)))} ]"

    def _many(self, routes):
        """One command for many prefixes of one path: each takes milliseconds."""
        by_path = {}
        for (prefix, _), path in routes.items():
            by_path.setdefault((":" in prefix, path), []).append(prefix)
        for (ipv6, path), prefixes in by_path.items():
            for start in range(0, len(prefixes), 200):
                yield (f"announce attributes next-hop {NEXT_HOP[ipv6]} origin igp as-path "
                       f"[ {' '.join(map(str, (self.asn, *path)))} ] nlri "
                       + " ".join(prefixes[start:start + 200]))

    def announced(self, session):
        """ExaBGP sends the path as commanded, to every neighbour."""
        return {prefix: " ".join(map(str, (self.asn, *path)))
                for (prefix, _), path in self._sent.items()}

    def seen(self, session, path):
        return (self.asn, *path)

    def refresh_in(self, session):
        self.say(f"neighbor {session.peer_address} announce route-refresh ipv4 unicast")

    def refresh_out(self, session):
        return False

    def reset(self, session):
        self.say(f"neighbor {session.peer_address} teardown 4")

    def shut_down(self, session, text):
        self.say(f"neighbor {session.peer_address} teardown 2")

    def shown(self, text):
        """With graceful restart agreed upon, it closes without a NOTIFICATION, and what it has not read
        resets the connection."""
        return "connection closed by the neighbor", "Connection reset by peer"

    def no_shut_down(self, session):
        """A teardown of ExaBGP's is followed by a new session at once."""
