"""What every interop test shares: `run` for the command line, `Net` for BIRDs around one Lapwing.

A test is a program: NAME.py --binary lapwing [--keep]. Exit 0: passed; 1: failed, with the reason;
77: this machine cannot run it.
"""

import argparse
import ipaddress
import os
import sys
from datetime import datetime

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))

from bird import Bird  # noqa: E402
from lapwing import Lapwing, Neighbor  # noqa: E402
from process import LabError, Scratch, Skip, free_port, has_ipv6, wait_for  # noqa: E402,F401

COLLECTOR_AS = 64512
ORIGIN, OLD, NEW = 131279, 4837, 20485
STAR = [f"175.45.{n}.0/24" for n in (176, 177, 178, 179)]


def check(fine, text):
    if not fine:
        raise LabError(text)


def check_equal(got, wanted, what):
    if got == wanted:
        return
    if isinstance(got, dict) and isinstance(wanted, dict):
        wrong = {k: (got.get(k), wanted.get(k)) for k in {*got, *wanted}
                 if got.get(k) != wanted.get(k)}
        lines = [f"  {k}: got {g!r}, expected {w!r}" for k, (g, w) in sorted(wrong.items())[:10]]
        raise LabError(f"{what}: {len(wrong)} differ\n" + "\n".join(lines))
    raise LabError(f"{what}: got {got!r}, expected {wanted!r}")


def parse_time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def table(count4=200, count6=50, star=OLD):
    """{prefix: path}: background, the extremes of prefix length, and the star's four prefixes."""
    routes = {f"198.18.{n}.0/24": (1103, 65000 + n % 7, 4200000000 + n) for n in range(count4)}
    routes.update({f"2001:db8:{n + 1:x}::/48": (1103, 65000 + n % 7, 4200000000 + n)
                   for n in range(count6)})
    routes.update({"0.0.0.0/0": (1103,), "203.0.113.7/32": (1103, 64499), "::/0": (1103,),
                   "2001:db8:ff::1/128": (1103, 64499), "203.0.113.128/25": (64498,) * 5})
    routes.update({p: (1103, star, ORIGIN) for p in STAR})
    return routes


def large_table():
    """100,000 routes: 80,000 of IPv4 and 20,000 of IPv6, with 10,000 and 400 paths."""
    routes = {f"{20 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24": (1103, 65000 + n % 400, 3000 + n % 25)
              for n in range(80000)}
    routes.update({f"2001:{n // 65536 + 0x4000:x}:{n % 65536 + 1:x}::/48": (1103, 65000 + n % 400)
                   for n in range(20000)})
    return routes


def all_routes(lapwing, peer):
    """{prefix: AS path}, of `large_table`, read in pieces that the API's limit allows."""
    found = {}
    for net in [f"{n}.0.0.0/8" for n in range(20, 22)] + ["2001:4000::/32"]:
        for start in range(4):
            parts = subnets(net, 4)
            rows = lapwing.get("routes", peer=peer, prefix=parts[start], match="longer",
                               limit=50000)[1]["routes"]
            found.update({r["prefix"]: r["as_path"] for r in rows})
    return found


def subnets(net, parts):
    return [str(n) for n in ipaddress.ip_network(net).subnets(prefixlen_diff=parts.bit_length() - 1)]


class Net:
    """One Lapwing and the BIRDs that are its neighbours."""

    def __init__(self, scratch, binary, **lapwing_options):
        self.scratch = scratch
        self.binary = binary
        self.port = free_port()
        self.birds = []
        self.neighbors = []
        self._options = lapwing_options
        self.lapwing = None

    def add_bird(self, name, asn, routes, *, active=True, ipv6=False, **options):
        """`active`: Lapwing connects to BIRD; otherwise BIRD connects to Lapwing."""
        number = len(self.birds) + 11
        address, local = ("::1", "::1") if ipv6 else (f"127.0.0.{number}", "127.0.0.1")
        port = free_port(address)
        bird = Bird(self.scratch, name, local_as=asn, address=address, port=port,
                    peer_as=COLLECTOR_AS, peer_address=local, peer_port=self.port, passive=active,
                    routes=routes, router_id=f"192.0.2.{number}", **options)
        self.birds.append(bird)
        self.neighbors.append(Neighbor(name, address, asn, port=port, local_address=local,
                                        passive=not active))
        return bird

    def start(self):
        for bird in self.birds:
            bird.start()
        self.start_lapwing()
        self.settle()
        return self

    def start_lapwing(self):
        listen = [f"127.0.0.1:{self.port}"]
        if any(":" in n.address for n in self.neighbors):
            listen.append(f"[::1]:{self.port}")
        self.lapwing = Lapwing(self.scratch, self.binary, local_as=COLLECTOR_AS,
                               neighbors=self.neighbors, listen=listen, **self._options)
        return self.lapwing.start()

    def settle(self):
        """Until all sessions are up and Lapwing's tables are complete, fresh and on disk."""
        self.lapwing.wait_established()
        self.lapwing.wait_routes(sum(len(b.routes) for b in self.birds))

    def check_tables(self):
        """Every neighbour's table is what its BIRD announces, path for path."""
        for bird in self.birds:
            announced = bird.exported_routes()
            check_equal(len(announced), len(bird.routes), f"routes that {bird.name} announces")
            wanted = {p: (bird.path_of(p), False) for p in announced}
            got = {p: v for (_, p), v in self.lapwing.routes(peer=bird.name).items()}
            check_equal(got, wanted, f"table of {bird.name}")


def run(case, doc):
    """Runs `case(scratch, binary)`."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--keep", action="store_true", help="leave the temporary directory")
    parser.add_argument("--full", action="store_true", help="the test's full measure")
    parser.add_argument("--disk", action="store_true", help="with a full disk (sink_bgp.py, hostile.py)")
    args = parser.parse_args()
    try:
        with Scratch(args.keep) as scratch:
            case(scratch, os.path.abspath(args.binary))
    except Skip as why:
        print(f"skipped: {why}")
        sys.exit(77)
    except LabError as error:
        print(f"FAILED: {error}")
        sys.exit(1)
    print("passed")
