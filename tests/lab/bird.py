"""A BIRD instance with static routes, whose AS paths and session the caller chooses.

Runs without root on loopback addresses and high ports. Routes live in an included file:
`set_routes` rewrites it and reconfigures, so that BIRD sends UPDATEs for exactly what changed.
"""

import re
import subprocess

from process import LabError, find_program, wait_for


# Given in the configuration, because the address of a session of the other family is of no use.
NEXT_HOP = {"ipv4": "192.0.2.250", "ipv6": "2001:db8:ffff::250"}


def family_of(prefix):
    return "ipv6" if ":" in prefix else "ipv4"


class Bird:
    """`peer_*` is Lapwing's end. `passive`: BIRD waits for the connection.

    `routes`: {prefix: path}, a path being the ASNs to the right of BIRD's own, nearest first. BIRD
    prepends its own ASN on eBGP. `options`, `channel`: further text of the protocol, of each channel.
    """

    def __init__(self, scratch, name, *, local_as, address, port, peer_as, peer_address, peer_port,
                 passive=False, families=("ipv4", "ipv6"), routes=None, router_id="192.0.2.2",
                 options="", channel=""):
        self.name = name
        self.local_as = local_as
        self.address = address
        self.port = port
        self.peer_as = peer_as
        self.peer_address = peer_address
        self.peer_port = peer_port
        self.passive = passive
        self.families = families
        self.router_id = router_id
        self.options = options
        self.channel = channel
        self.routes = dict(routes or {})
        self.process = None
        self._scratch = scratch
        self._config = scratch.file(f"{name}.conf")
        self._routes_file = scratch.file(f"{name}.routes")
        self._socket = scratch.file(f"{name}.ctl")
        self._log = scratch.file(f"{name}.bird.log")

    @property
    def internal(self):
        return self.local_as == self.peer_as

    def path_of(self, prefix):
        """The AS path that Lapwing must see, as text."""
        own = () if self.internal else (self.local_as,)
        return " ".join(str(asn) for asn in own + tuple(self.routes[prefix]))

    def start(self):
        self._write()
        self.process = self._scratch.start(
            self.name, [find_program("bird"), "-f", "-c", self._config, "-s", self._socket,
                        "-P", self._scratch.file(f"{self.name}.pid")])
        wait_for(self._answers, 5, f"{self.name} answers", self.process.log)
        return self

    def stop(self):
        self.process.stop()

    def set_routes(self, routes):
        self.routes = dict(routes)
        self._write()
        self.birdc("configure")

    def birdc(self, command):
        done = subprocess.run([find_program("birdc"), "-s", self._socket] + command.split(),
                              capture_output=True, text=True, timeout=10)
        if done.returncode != 0 or "syntax error" in done.stdout:
            raise LabError(f"birdc {command} on {self.name}: {done.stdout}{done.stderr}")
        return done.stdout

    def is_established(self):
        return "Established" in self.birdc("show protocols lapwing")

    def details(self):
        return self.birdc("show protocols all lapwing")

    def imported(self):
        """What BIRD received from Lapwing: (routes held now, announcements, withdrawals)."""
        text = self.details()
        held = sum(int(n) for n in re.findall(r"Routes:\s+(\d+) imported", text))
        updates = sum(int(n) for n in re.findall(r"Import updates:\s+(\d+)", text))
        withdraws = sum(int(n) for n in re.findall(r"Import withdraws:\s+(\d+)", text))
        return held, updates, withdraws

    def exported(self):
        """How many routes BIRD says that it announces to Lapwing."""
        return sum(int(n) for n in re.findall(r"(\d+) exported", self.details()))

    def exported_routes(self):
        """{prefix: AS path as BIRD holds it (without its own ASN)}, from `show route export`."""
        found, prefix = {}, None
        for line in self.birdc("show route export lapwing all").splitlines():
            start = re.match(r"(\S+/\d+)\s", line)
            if start:
                prefix = start[1]
                found.setdefault(prefix, "")
            path = re.match(r"\s+BGP\.as_path:(.*)", line)
            if path and prefix:
                found[prefix] = path[1].strip()
        return found

    def log(self):
        with open(self._log, errors="replace") as log:
            return log.read()

    def _answers(self):
        self.process.check_alive()
        try:
            return "BIRD" in self.birdc("show status")
        except LabError:
            return False

    def _write(self):
        with open(self._routes_file, "w") as out:
            out.write(self._static_protocols())
        channels = "\n".join(f"  {f} {{ import all; export where source = RTS_STATIC; "
                             f"next hop address {NEXT_HOP[f]}; {self.channel} }};" for f in self.families)
        with open(self._config, "w") as out:
            out.write(f"""\
log "{self._log}" all;
debug protocols {{ states, events }};
router id {self.router_id};
protocol device {{ }}
include "{self._routes_file}";
protocol bgp lapwing {{
  local {self.address} port {self.port} as {self.local_as};
  neighbor {self.peer_address} port {self.peer_port} as {self.peer_as};
  multihop;
  strict bind;
  {"passive;" if self.passive else ""}
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 2;
  error forget time 1;
  {self.options}
{channels}
}}
""")

    def _static_protocols(self):
        text = ""
        for family in self.families:
            text += f"protocol static static_{family} {{\n  {family};\n"
            for prefix, path in self.routes.items():
                if family_of(prefix) != family:
                    continue
                # Prepending goes from the origin to the neighbour.
                steps = "".join(f" bgp_path.prepend({asn});" for asn in reversed(path))
                text += f"  route {prefix} blackhole {{ bgp_path.empty;{steps} }};\n"
            text += "}\n"
        return text
