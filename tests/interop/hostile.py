#!/usr/bin/env python3
"""A neighbour that sends endless unique attributes is bounded, and another session does not notice.

Every UPDATE has an AS path and communities that nobody had before, 4,000 octets of them, for one of four
prefixes. Memory stays where it was after the first seconds; a BIRD beside it has its changes read at once.
Then the same for ever more prefixes: the session ends with Cease/8 where max-attributes says so.
With --disk the disk is full meanwhile: what neighbours announced does not pile up in memory either.
"""

import itertools
import socket
import struct
import sys
import threading
import time

from case import Neighbor, Net, check, check_equal, run, wait_for
from feeder import NEXT_HOP4, attribute, nlri
from lapwing import quote
from probe import Probe
from small_disk import SmallDisk
from speaker import END_OF_RIB4, KEEPALIVE, NOTIFICATION, UPDATE, Speaker, message

HOSTILE_AS, HOARDER, SECONDS = 64599, "127.0.0.98", 15
PREFIXES = [f"20.0.{n}.0/24" for n in range(4)]
KEPT = {"198.18.0.0/24": (1103,)}
MORE = {"203.0.113.0/24": (1103, 65000, 64999)}


def update(number, prefix):
    path = struct.pack("!BB251I", 2, 251, HOSTILE_AS, *range(100000 + 250 * number, 100250 + 250 * number))
    communities = struct.pack("!700I", *((700 * number + i) & 0xffffffff for i in range(700)))
    attributes = (attribute(0x40, 1, b"\0") + attribute(0x40, 2, path)
                  + attribute(0x40, 3, socket.inet_aton(NEXT_HOP4)) + attribute(0xc0, 8, communities))
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes
                   + nlri(prefix))


class Flood(threading.Thread):
    """`rate`: UPDATEs a second, at most; None: as many as are taken."""

    def __init__(self, port, address="127.0.0.99", prefix_of=lambda n: PREFIXES[n % len(PREFIXES)],
                 rate=None):
        super().__init__(daemon=True)
        self.rate = rate
        self.speaker = Speaker(asn=HOSTILE_AS, address=address, peer_address="127.0.0.1",
                               peer_port=port, router_id="192.0.2.99")
        self.prefix_of = prefix_of
        self.sent = 0
        self._end = threading.Event()
        self.start()

    def run(self):
        began = time.monotonic()
        for number in itertools.count():
            if self._end.is_set():
                break
            if self.rate and (early := began + number / self.rate - time.monotonic()) > 0.01:
                time.sleep(early)
            try:
                self.speaker.send(update(number, self.prefix_of(number)))
            except OSError:
                return
            self.sent = number + 1
        self.speaker.send(END_OF_RIB4)

    def stop(self):
        self._end.set()
        self.join(10)
        self.speaker.send(message(KEEPALIVE))


def mebibytes(process):
    """What the process holds in memory."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


def hoard(net, lapwing):
    flood = Flood(net.port, HOARDER, lambda n: f"21.{n >> 8 & 0xff}.{n & 0xff}.0/24")
    wait_for(lambda: lapwing.peers()["hoarder"]["last_error"] == "more than 8388608 octets of attributes",
             20, "the session of the hoarder ends", lambda: str(lapwing.peers()["hoarder"]))
    flood.join(10)
    told = [e for e in lapwing.events() if e["type"] == "max-attributes"]
    check_equal([(e["action"], e["peers"], e["limit"], e["stopped"]) for e in told],
                [("raise", ["hoarder"], 8 << 20, True)], "events")
    routes = lapwing.peers()["hoarder"]["routes"]
    check(1000 < routes < 8000, f"{routes} routes of the hoarder are kept")
    check_equal(lapwing.peers()["hoarder"]["state"], "Idle", "state")
    check_equal(lapwing.peers()["bird"]["established"], 1, "sessions of bird")
    print(f"unique attributes on ever more prefixes: Cease/8 after {routes} routes")


def begin(scratch, binary, **options):
    net = Net(scratch, binary, **options)
    bird = net.add_bird("bird", 64501, {**KEPT, **MORE}, options="hold time 9; keepalive time 3;")
    net.neighbors[0].extra = {"hold-time": 9}
    for name, address, extra in (("hostile", "127.0.0.99", {}),
                                 ("hoarder", HOARDER, {"max-attributes": quote("8MiB")})):
        net.neighbors.append(Neighbor(name, address, HOSTILE_AS, passive=True,
                                      local_address="127.0.0.1", extra=extra))
    bird.start()
    return net, net.start_lapwing()


def watch(net, lapwing, what, settle, rate=None):
    """While the flood lasts; `settle` is called when it has begun."""
    flood = Flood(net.port, rate=rate)
    wait_for(lambda: all(lapwing.peers()[n]["state"] == "Established" for n in ("bird", "hostile")), 15,
             "both sessions are established", lambda: str(lapwing.peers()))
    settle()
    probe = Probe(net, KEPT, MORE)
    time.sleep(SECONDS / 3)
    before, sent, most = mebibytes(lapwing.process), flood.sent, 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        lapwing.process.check_alive()
        most = max(most, lapwing.status()["paths"])
        time.sleep(0.2)
    after = mebibytes(lapwing.process)
    flood.stop()
    seen = probe.stop(what)
    sent = flood.sent - sent
    check(sent > 1000, f"only {sent} UPDATEs were sent")
    check(most < sent / 2, f"{most} attribute sets are kept of {sent}")
    # Each UPDATE also shows an origin and an upstream that were never seen, which is kept: some 300
    # octets, where its attributes are 3,800.
    most_mib = before + 64 + (sent * 400 >> 20)
    check(after < most_mib, f"memory grew from {before} to {after} MiB while {sent} UPDATEs came")
    check_equal([m for m in flood.speaker.heard if m[18] == NOTIFICATION], [], "NOTIFICATIONs")
    for name in ("bird", "hostile"):
        peer = lapwing.peers()[name]
        check_equal((peer["state"], peer["established"]), ("Established", 1), name)
    print(f"{what}: {sent} unique attribute sets ({sent * 4000 >> 20} MiB): at most {most} kept, memory from {before} "
          f"to {after} MiB; {seen}")


def hostile(scratch, binary):
    net, lapwing = begin(scratch, binary)
    watch(net, lapwing, "endless unique attributes", lambda: None)
    hoard(net, lapwing)
    lapwing.stop()


def disk(scratch, binary):
    with SmallDisk(scratch, 96) as small:
        net, lapwing = begin(scratch, binary, store=small.path + "/store")

        def full():
            small.fill()
            wait_for(lambda: "space" in lapwing.status()["store_error"].lower(), 20,
                     "the disk is full", lambda: str(lapwing.status()))

        # What is learnt from the UPDATEs must fit on the small disk later, however fast the machine.
        watch(net, lapwing, "disk full", full, rate=8000)
        check("space" in lapwing.status()["store_error"].lower(), "the disk was full to the end")
        small.free()
        # The last of each prefix, BIRD's routes, no error, nothing that waits.
        lapwing.wait_routes(len(PREFIXES) + len(net.birds[0].routes))
        check_equal(lapwing.status()["store_error"], "", "store_error")
        lapwing.stop()


run(disk if "--disk" in sys.argv else hostile, __doc__)
