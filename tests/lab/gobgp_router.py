"""gobgpd, told by its file and by `gobgp` over gRPC on a loopback port."""

import json
import subprocess

from process import LabError, find_program, free_port
from router import Router


class GoBgp(Router):
    CAN = {"md5-accepting", "md5-connecting", "ttl-security", "ipv6-transport"}
    STAYS_DOWN = False
    RESET = "active"
    CAPABILITIES = ["route-refresh", "4-octet-as"]

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._api = free_port()

    def command(self):
        return [find_program("gobgpd"), "-f", self._config, "-t", "toml", "-p", "-l", "error",
                f"--api-hosts=127.0.0.1:{self._api}", "--pprof-disable"]

    @property
    def _config(self):
        return self.scratch.file("gobgpd.toml")

    def write_config(self):
        def array(values):
            return "[" + ", ".join(json.dumps(v) for v in values) + "]"
        text = f"""\
[global.config]
as = {self.asn}
router-id = "{self.router_id}"
port = {self.port}
local-address-list = {array(self.addresses())}
"""
        for s in self.sessions:
            text += self._neighbor_text(s.peer_address, s.peer_as, s.address, s.waits, s.peer_port,
                                        s.hold_time, s.password, s.ttl_security, s.add_path)
        for place in self.places:
            text += self._neighbor_text(place.address, place.asn, self.feeder_address, True, 179, 30)
        with open(self._config, "w") as out:
            out.write(text)

    def _neighbor_text(self, address, asn, local, waits, port, hold_time, password="",
                       ttl_security=False, add_path=False):
        text = f"""
[[neighbors]]
[neighbors.config]
neighbor-address = "{address}"
peer-as = {asn}
auth-password = "{password}"
[neighbors.transport.config]
local-address = "{local}"
passive-mode = {"true" if waits else "false"}
remote-port = {port}
[neighbors.timers.config]
hold-time = {hold_time}
keepalive-interval = {max(1, hold_time // 3)}
connect-retry = 1
idle-hold-time-after-reset = 1
[neighbors.graceful-restart.config]
enabled = true
restart-time = 20
"""
        if ttl_security:
            text += "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255\n"
        elif asn != self.asn:
            text += "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 64\n"
        for family in ("ipv4-unicast", "ipv6-unicast"):
            text += f"""\
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "{family}"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
"""
            if add_path:
                text += "[neighbors.afi-safis.add-paths.config]\nsend-max = 8\n"
        return text

    def gobgp(self, *words):
        done = subprocess.run([find_program("gobgp"), "-u", "127.0.0.1", "-p", str(self._api), *words],
                              capture_output=True, text=True, timeout=150)
        if done.returncode != 0:
            raise LabError(f"gobgp {words}: {done.stdout}{done.stderr}")
        return done.stdout

    def answers(self):
        self.process.check_alive()
        try:
            return all(s.peer_address in self.gobgp("neighbor") for s in self.sessions)
        except LabError:
            return False

    def established(self, session):
        return "ESTABLISHED" in self.gobgp("neighbor", session.peer_address)

    def announced(self, session):
        """{prefix: AS path as Lapwing must see it}, of what GoBGP says that it sends."""
        found = {}
        for family in ("ipv4", "ipv6"):
            text = self.gobgp("neighbor", session.peer_address, "adj-out", "-a", family, "-j")
            for prefix, paths in (json.loads(text) or {}).items() if text.strip() else ():
                for path in paths if isinstance(paths, list) else [paths]:
                    attributes = {a["type"]: a for a in path["attrs"]}
                    segments = attributes.get(2, {}).get("as_paths") or []
                    found[prefix] = " ".join(str(a) for s in segments for a in s["asns"])
        return found

    def refresh_in(self, session):
        self.gobgp("neighbor", session.peer_address, "softresetin")

    def refresh_out(self, session):
        self.gobgp("neighbor", session.peer_address, "softresetout")
        return True

    def reset(self, session):
        """Its own `reset` leaves the neighbour idle for 30 s, whatever is configured."""
        self.gobgp("neighbor", session.peer_address, "shutdown")

    def shut_down(self, session, text):
        self.gobgp("neighbor", session.peer_address, "shutdown", "--reason", text)

    def no_shut_down(self, session):
        """A shutdown of GoBGP's is followed by a new session; only `disable` lasts, without a text."""

    def told(self, session):
        return self.process.log(400)
