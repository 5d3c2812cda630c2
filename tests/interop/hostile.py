#!/usr/bin/env python3
"""A neighbour that sends endless unique attributes is bounded, and another session does not notice.

Every UPDATE has an AS path and communities that nobody had before, 4,000 octets of them, for one of four
prefixes. Memory stays where it was after the first seconds; a BIRD beside it has its changes read at once.
"""

import itertools
import socket
import struct
import threading
import time

from case import Neighbor, Net, check, check_equal, run
from feeder import NEXT_HOP4, attribute, nlri
from probe import Probe
from speaker import END_OF_RIB4, KEEPALIVE, NOTIFICATION, UPDATE, Speaker, message

HOSTILE_AS, SECONDS = 64599, 15
PREFIXES = [f"20.0.{n}.0/24" for n in range(4)]
KEPT = {"198.18.0.0/24": (1103,)}
MORE = {"203.0.113.0/24": (1103, 65000, 64999)}


def update(number):
    path = struct.pack("!BB251I", 2, 251, HOSTILE_AS, *range(100000 + 250 * number, 100250 + 250 * number))
    communities = struct.pack("!700I", *((700 * number + i) & 0xffffffff for i in range(700)))
    attributes = (attribute(0x40, 1, b"\0") + attribute(0x40, 2, path)
                  + attribute(0x40, 3, socket.inet_aton(NEXT_HOP4)) + attribute(0xc0, 8, communities))
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes
                   + nlri(PREFIXES[number % len(PREFIXES)]))


class Flood(threading.Thread):
    def __init__(self, port):
        super().__init__(daemon=True)
        self.speaker = Speaker(asn=HOSTILE_AS, address="127.0.0.99", peer_address="127.0.0.1",
                               peer_port=port, router_id="192.0.2.99")
        self.sent = 0
        self._end = threading.Event()
        self.start()

    def run(self):
        for number in itertools.count():
            if self._end.is_set():
                break
            self.speaker.send(update(number))
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


def hostile(scratch, binary):
    net = Net(scratch, binary)
    bird = net.add_bird("bird", 64501, {**KEPT, **MORE}, options="hold time 9; keepalive time 3;")
    net.neighbors[0].extra = {"hold-time": 9}
    net.neighbors.append(Neighbor("hostile", "127.0.0.99", HOSTILE_AS, passive=True,
                                  local_address="127.0.0.1"))
    bird.start()
    lapwing = net.start_lapwing()
    flood = Flood(net.port)
    lapwing.wait_established()
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
    seen = probe.stop("endless unique attributes")
    sent = flood.sent - sent
    check(sent > 1000, f"only {sent} UPDATEs were sent")
    check(most < sent / 2, f"{most} attribute sets are kept of {sent}")
    check(after < before + 64, f"memory grew from {before} to {after} MiB while {sent} UPDATEs came")
    check_equal([m for m in flood.speaker.heard if m[18] == NOTIFICATION], [], "NOTIFICATIONs")
    for name, peer in lapwing.peers().items():
        check_equal((peer["state"], peer["established"]), ("Established", 1), name)
    print(f"{sent} unique attribute sets ({sent * 4000 >> 20} MiB): at most {most} kept, memory from {before} "
          f"to {after} MiB; {seen}")
    lapwing.stop()


run(hostile, __doc__)
