#!/usr/bin/env python3
"""Outages of a receiver and of the disk are not noticed by the routers.

A BIRD whose hold time is 9 s changes a route all the time, while a second neighbour raises events.
Receiver down, a receiver that never reads, with --disk a full disk: both sessions stay up, changes are
read at once, and every event arrives afterwards, in order. With --full, 10,000 events and two minutes for
each outage.
"""

import re
import socket
import sys
import threading
import time

from case import Neighbor, Net, check, check_equal, run, wait_for
from feed import TcpReceiver
from feeder import updates
from probe import Probe
from process import free_port
from small_disk import SmallDisk
from speaker import END_OF_RIB4, KEEPALIVE, Speaker, message

FULL = "--full" in sys.argv
COUNT, SECONDS = (10000, 120) if FULL else (2000, 12)
FEED_AS, FIRST_ORIGIN = 64599, 4200000000
KEPT = {"198.18.0.0/24": (1103,)}
PROBE = {"203.0.113.0/24": (1103, 65000, 64999)}
ID = re.compile(r' id="([0-9a-f]{32})"')


def prefix(i):
    return f"20.{i // 256}.{i % 256}.0/24"


class Raiser:
    """A neighbour whose COUNT origins gain an upstream each time they are told to.

    `transit`: ASNs on the way; many of them make large events.
    """

    def __init__(self, port, transit):
        self._speaker = Speaker(asn=FEED_AS, address="127.0.0.99", peer_address="127.0.0.1",
                                peer_port=port, router_id="192.0.2.99")
        self._upstream = 64700
        self._transit = transit
        self._lock = threading.Lock()
        self._end = threading.Event()
        self.announce(range(COUNT))
        self._send(END_OF_RIB4)
        self._keeper = threading.Thread(target=self._keep_alive, daemon=True)
        self._keeper.start()

    def announce(self, numbers):
        self._send(b"".join(updates({prefix(i): (FEED_AS, *self._transit, self._upstream, FIRST_ORIGIN + i)
                                     for i in numbers})))

    def raise_events(self, seconds):
        """COUNT events, spread over the time."""
        self._upstream += 1
        start, pieces = time.monotonic(), 40
        for n in range(pieces):
            time.sleep(max(0, start + n * seconds / pieces - time.monotonic()))
            self.announce(range(n * COUNT // pieces, (n + 1) * COUNT // pieces))

    def close(self):
        self._end.set()
        self._speaker.close()

    def _send(self, octets):
        with self._lock:
            self._speaker.send(octets)

    def _keep_alive(self):
        while not self._end.wait(2):
            self._send(message(KEEPALIVE))


class Case:
    def __init__(self, scratch, binary, transit=(1103,), store=None):
        self.port = free_port()
        extra = (f'\n[[sink.syslog]]\nname = "tcp"\ntarget = "tcp://127.0.0.1:{self.port}"\n'
                 "longest-pause = 1\n")
        self.net = Net(scratch, binary, extra=extra, store=store)
        self.net.add_bird("bird", 64501, {**KEPT, **PROBE},
                          options="hold time 9; keepalive time 3;")
        self.net.neighbors[0].extra = {"hold-time": 9}
        self.net.neighbors.append(Neighbor("raiser", "127.0.0.99", FEED_AS, passive=True,
                                           local_address="127.0.0.1", extra={"hold-time": 9}))
        self.receiver = TcpReceiver(self.port)
        self.net.birds[0].start()
        self.lapwing = self.net.start_lapwing()
        self.raiser = Raiser(self.net.port, transit)
        self.lapwing.wait_established()
        self.lapwing.wait_routes(COUNT + 2, 60)
        check_equal(self.lapwing.peers()["bird"]["hold_time"], 9, "hold time")

    def status(self):
        return next(s for s in self.lapwing.get("sinks")[1]["sinks"] if s["name"] == "tcp")

    def raised(self):
        return [e["id"] for e in self.lapwing.events() if e["type"] == "new-upstream"]

    def received(self):
        return [ID.search(m)[1] for m in self.receiver.messages if " NEW_UPSTREAM " in m]

    def outage(self, what, begin, during, end):
        """`begin` it, COUNT events, `during` is checked, `end` it; then all events are there."""
        before = len(self.raised())
        start = time.monotonic()
        begin()
        probe = Probe(self.net, KEPT, PROBE)
        self.raiser.raise_events(SECONDS)
        time.sleep(max(0, start + SECONDS - time.monotonic()))
        during()
        seen = probe.stop(what)
        for name, peer in self.lapwing.peers().items():
            check_equal((peer["state"], peer["established"]), ("Established", 1), f"{what}: {name}")
        print(f"{what}: {time.monotonic() - start:.0f} s; {seen}", flush=True)
        end()
        wait_for(lambda: len(self.raised()) >= before + COUNT, 90, f"{what}: {COUNT} events",
                 lambda: str(len(self.raised()) - before))
        wait_for(lambda: len(set(self.received())) >= before + COUNT, 120,
                 f"{what}: all have arrived",
                 lambda: f"{len(set(self.received())) - before} of {COUNT}; {self.status()}")
        check_equal(list(dict.fromkeys(self.received())) == self.raised(), True,
                    f"{what}: every event, in the journal's order")
        seen, unmarked = set(), []
        for text in self.receiver.messages:
            event = ID.search(text)[1]
            if event in seen and ' repeat="true"' not in text:
                unmarked.append(event)
            seen.add(event)
        check_equal(unmarked, [], f"{what}: what comes twice says so")

    def close(self):
        self.raiser.close()
        self.receiver.close()
        self.lapwing.stop()
        self.net.birds[0].stop()


def receivers(scratch, binary):
    case = Case(scratch, binary)
    kept = case.receiver.messages
    silent = []

    def down():
        case.receiver.close()

    def is_down():
        status = case.status()
        check(status["waiting"] >= COUNT and status["retries"] > 2 and status["last_error"],
              f"receiver down: {status}")
        check(status["lag_seconds"] > SECONDS // 3, f"receiver down: lag {status}")

    def back():
        case.receiver = TcpReceiver(case.port)
        case.receiver.messages[:0] = kept

    case.outage("receiver down", down, is_down, back)
    kept = case.receiver.messages

    def reads_nothing():
        case.receiver.close()
        listener = socket.create_server(("127.0.0.1", case.port))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        silent.append(listener)

    def is_stuck():
        status = case.status()
        check(status["waiting"] > COUNT // 2, f"never reads: the cursor ran ahead: {status}")

    def dies():
        silent.pop().close()
        back()

    case.outage("receiver never reads", reads_nothing, is_stuck, dies)
    case.close()


def disk(scratch, binary):
    with SmallDisk(scratch, 160) as small:
        # Events that do not fit into what the database has already taken of the disk.
        case = Case(scratch, binary, transit=range(4100000000, 4100000240), store=small.path + "/store")
        durable = []

        def full():
            durable.append(len(case.raised()))
            small.fill()

        def says_so():
            status = case.lapwing.status()
            check(status["store_errors"] > 0 and "space" in status["store_error"].lower(),
                  f"disk full: said and counted: {status}")
            check(len(case.raised()) < durable[0] + COUNT, "the disk was never full")

        case.outage("disk full", full, says_so, small.free)
        check("space" in case.lapwing.process.log(100000).lower(), "disk full: the log says so")
        case.close()


run(disk if "--disk" in sys.argv else receivers, __doc__)
