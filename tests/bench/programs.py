"""The programs that speakers.py compares: each is started with its neighbours configured, tells how many
routes it holds, and is stopped. Import all, export nothing, on loopback.

`pids` are its processes, whose CPU and memory count; `program` is missing where it is not installed.
"""

import json
import os
import re
import signal
import subprocess
import time

from lapwing import Lapwing, Neighbor
from process import LabError, find_program, free_port

FIRST_AS, COLLECTOR_AS = 64601, 64512
LISTEN = "127.0.0.1"
PATIENCE = 900  # seconds for one phase


def neighbors(args):
    """(address, AS) of each."""
    return [(f"127.1.0.{i + 1}", FIRST_AS + i) for i in range(args.neighbors)]


def answer(*command):
    """What a program's client prints; nothing while the program is not there yet, or is too busy."""
    done = subprocess.run([find_program(command[0]), *command[1:]], capture_output=True, text=True,
                          timeout=PATIENCE)
    return done.stdout if done.returncode == 0 else ""


def wait_until(condition, what):
    for _ in range(1500):
        if condition():
            return
        time.sleep(0.02)
    raise LabError(f"{what} does not start")


class LapwingUnderTest:
    name = "lapwing"
    durable = True

    def __init__(self, scratch, args, port):
        feeds = [Neighbor(f"feed{i}", address, asn, passive=True, local_address=LISTEN,
                          extra={"hold-time": 240})
                 for i, (address, asn) in enumerate(neighbors(args))]
        binary = os.path.abspath(os.path.join(args.build, "collector", "lapwing"))
        self._lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=feeds,
                                listen=[f"{LISTEN}:{port}"])
        self._lapwing.start()

    @property
    def pids(self):
        return [self._lapwing.process.pid]

    def state(self):
        """(routes held, changes that are not durable yet)."""
        status = self._lapwing.status()
        return status["routes"], status["store_pending"]

    def restart(self):
        """Seconds from the start until it is ready with all routes."""
        self._lapwing.process.signal(signal.SIGTERM)
        self._lapwing.process.wait(60)
        began = time.monotonic()
        self._lapwing.process = self._lapwing._scratch.start(
            "lapwing", [self._lapwing.binary, "run", "-c", self._lapwing.config_path])
        while time.monotonic() - began < PATIENCE:
            self._lapwing.process.check_alive()
            try:
                if self._lapwing.get_raw("/readyz")[0] == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.005)
        raise LabError("lapwing does not become ready")

    def stop(self):
        self._lapwing.process.signal(signal.SIGTERM)
        self._lapwing.process.wait(60)


class DaemonUnderTest:
    """One that keeps what it holds in memory; `_process` is what was started."""

    durable = False

    @property
    def pids(self):
        return [self._process.pid]

    def stop(self):
        self._process.stop()


class BirdUnderTest(DaemonUnderTest):
    name = "bird"

    def __init__(self, scratch, args, port):
        self._socket = scratch.file("bird.ctl")
        protocols = "".join(f"""
protocol bgp feed{i} {{
  local {LISTEN} port {port} as {COLLECTOR_AS};
  neighbor {address} as {asn};
  multihop; passive; strict bind; hold time 240;
  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}""" for i, (address, asn) in enumerate(neighbors(args)))
        config = scratch.write("bird.conf", f"""
router id 192.0.2.100;
protocol device {{ }}
{protocols}
""")
        self._process = scratch.start("bird", [find_program("bird"), "-f", "-c", config, "-s",
                                               self._socket, "-P", scratch.file("bird.pid")])
        wait_until(lambda: os.path.exists(self._socket), "BIRD")

    def state(self):
        text = answer("birdc", "-s", self._socket, "show", "protocols", "all")
        return sum(int(n) for n in re.findall(r"Routes:\s+(\d+) imported", text)), 0


class FrrUnderTest(DaemonUnderTest):
    """bgpd alone: no zebra, no routes of the kernel."""

    name = "frr"
    program = "/usr/lib/frr/bgpd"

    def __init__(self, scratch, args, port):
        self._vty = scratch.file("frr-vty")
        os.makedirs(self._vty, exist_ok=True)
        lines = ["log stdout critical", "route-map nothing deny 10", f"router bgp {COLLECTOR_AS}",
                 " bgp router-id 192.0.2.100", " no bgp ebgp-requires-policy",
                 " no bgp default ipv4-unicast"]
        for address, asn in neighbors(args):
            n = f" neighbor {address}"
            lines += [f"{n} remote-as {asn}", f"{n} ebgp-multihop 255", f"{n} passive",
                      f"{n} timers 80 240", f"{n} update-source {LISTEN}"]
        for family in ("ipv4", "ipv6"):
            lines.append(f" address-family {family} unicast")
            for address, _ in neighbors(args):
                lines += [f"  neighbor {address} activate", f"  neighbor {address} route-map nothing out"]
            lines.append(" exit-address-family")
        config = scratch.write("frr.conf", "\n".join(lines) + "\n")
        self._process = scratch.start("frr", [self.program, "-f", config, "-i", scratch.file("frr.pid"),
                                              "-Z", "-n", "-S", "-p", str(port), "-P", "0",
                                              "--vty_socket", self._vty, "-l", LISTEN])
        wait_until(lambda: "neighbor" in self._vtysh("show running-config"), "FRR")

    def _vtysh(self, command):
        return answer("vtysh", "--vty_socket", self._vty, "-d", "bgpd", "-c", command)

    def state(self):
        summary = json.loads(self._vtysh("show bgp summary json") or "{}")
        return sum(peer.get("pfxRcd", 0) for family in summary.values() if isinstance(family, dict)
                   for peer in family.get("peers", {}).values()), 0


class OpenBgpdUnderTest(DaemonUnderTest):
    """It drops its privileges itself, and must be started by root. Three processes."""

    name = "openbgpd"
    program = "/usr/sbin/bgpd"

    def __init__(self, scratch, args, port):
        os.chmod(scratch.path, 0o755)
        os.makedirs("/run/openbgpd", exist_ok=True)  # the home of its user
        self._socket = scratch.file("bgpd.sock")
        text = (f"AS {COLLECTOR_AS}\nrouter-id 192.0.2.100\nsocket \"{self._socket}\"\nfib-update no\n"
                f"nexthop qualify via default\nlisten on {LISTEN} port {port}\nholdtime 240\n")
        for address, asn in neighbors(args):
            text += (f"neighbor {address} {{\n  remote-as {asn}\n  passive\n  multihop 64\n"
                     f"  local-address {LISTEN}\n  announce IPv4 unicast\n  announce IPv6 unicast\n"
                     "  export none\n}\n")
        config = scratch.write("bgpd.conf", text + "allow from any\n")
        os.chmod(config, 0o600)
        self._process = scratch.start("openbgpd", [self.program, "-d", "-f", config])
        wait_until(lambda: self._neighbors(), "OpenBGPD")

    def _neighbors(self):
        return json.loads(answer("bgpctl", "-s", self._socket, "-j", "show", "neighbor") or "{}"
                          ).get("neighbors", [])

    @property
    def pids(self):
        return [self._process.pid, *map(int, answer("pgrep", "-P", str(self._process.pid)).split())]

    def state(self):
        return sum(n["stats"]["prefixes"]["received"] for n in self._neighbors()), 0


class GoBgpUnderTest(DaemonUnderTest):
    name = "gobgp"
    program = "gobgpd"

    def __init__(self, scratch, args, port):
        self._api = free_port()
        text = (f"[global.config]\nas = {COLLECTOR_AS}\nrouter-id = \"192.0.2.100\"\nport = {port}\n"
                f"local-address-list = [\"{LISTEN}\"]\n[global.apply-policy.config]\n"
                "default-import-policy = \"accept-route\"\ndefault-export-policy = \"reject-route\"\n")
        for address, asn in neighbors(args):
            text += (f"[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{address}\"\n"
                     f"peer-as = {asn}\n[neighbors.transport.config]\npassive-mode = true\n"
                     f"local-address = \"{LISTEN}\"\n[neighbors.timers.config]\nhold-time = 240\n"
                     "[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 64\n")
            for family in ("ipv4-unicast", "ipv6-unicast"):
                text += ("[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\n"
                         f"afi-safi-name = \"{family}\"\n")
        config = scratch.write("gobgpd.toml", text)
        self._process = scratch.start("gobgpd", [find_program("gobgpd"), "-f", config, "-t", "toml", "-p",
                                                 "-l", "error", f"--api-hosts={LISTEN}:{self._api}",
                                                 "--pprof-disable"])
        wait_until(lambda: self._neighbors(), "GoBGP")

    def _neighbors(self):
        return json.loads(answer("gobgp", "-u", LISTEN, "-p", str(self._api), "neighbor", "-j") or "[]")

    def state(self):
        return sum(family.get("state", {}).get("received", 0) for neighbor in self._neighbors()
                   for family in neighbor.get("afi_safis", [])), 0


PROGRAMS = [BirdUnderTest, LapwingUnderTest, FrrUnderTest, OpenBgpdUnderTest, GoBgpUnderTest]
