#!/usr/bin/env python3
"""Ten neighbours with hold time 9 announce a table each, all at once: no session is lost.

Neither does Lapwing take one of them for dead, nor would one of them take Lapwing for dead: its
KEEPALIVEs come in time. 50,000 routes each; with --full 1,000,000.
"""

import random
import sys
import threading
import time

from case import COLLECTOR_AS, Lapwing, Neighbor, check, check_equal, free_port, run, wait_for
from feeder import update24
from speaker import END_OF_RIB4, KEEPALIVE, NOTIFICATION, Speaker, message

NEIGHBORS, HOLD_TIME = 10, 9
ROUTES = 1_000_000 if "--full" in sys.argv else 50_000
PATIENCE = 1500 if "--full" in sys.argv else 150


def table(asn):
    """The same prefixes from everybody, five in an UPDATE, by paths of their own."""
    rng = random.Random(asn)
    first = 1 << 16
    return b"".join(update24((asn, rng.choice((1299, 2914, 3356, 6939)), rng.randrange(1000, 20000),
                              rng.randrange(20000, 60000)), range(at, at + 5))
                    for at in range(first, first + ROUTES, 5)) + END_OF_RIB4


class Sender(threading.Thread):
    """Announces its table as fast as it is read; before and after says every two seconds that it lives."""

    def __init__(self, number, octets, port, go):
        super().__init__(daemon=True)
        self.octets = octets
        self.speaker = Speaker(asn=64601 + number, address=f"127.0.0.{21 + number}",
                               peer_address="127.0.0.1", peer_port=port,
                               router_id=f"192.0.2.{21 + number}")
        self.longest_silence = 0
        self.failure = None
        self._go = go
        self._lock = threading.Lock()
        self._end = threading.Event()
        threading.Thread(target=self._keep_alive, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()
        self.start()

    def run(self):
        self._go.wait()
        try:
            with self._lock:
                self.speaker.send(self.octets)
        except OSError as error:
            self.failure = error

    def stop(self):
        self._end.set()

    def _keep_alive(self):
        try:
            while not self._end.wait(2):
                with self._lock:
                    self.speaker.send(message(KEEPALIVE))
        except OSError as error:
            self.failure = error

    def _listen(self):
        count, since = len(self.speaker.heard), time.monotonic()
        while not self._end.wait(0.05):
            now = time.monotonic()
            self.longest_silence = max(self.longest_silence, now - since)
            if len(self.speaker.heard) != count:
                count, since = len(self.speaker.heard), now


def ten(scratch, binary):
    port = free_port()
    neighbors = [Neighbor(f"n{n}", f"127.0.0.{21 + n}", 64601 + n, local_address="127.0.0.1", passive=True,
                          extra={"hold-time": HOLD_TIME}) for n in range(NEIGHBORS)]
    tables = [table(64601 + n) for n in range(NEIGHBORS)]
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=neighbors,
                      listen=[f"127.0.0.1:{port}"]).start()
    go = threading.Event()
    senders = [Sender(n, octets, port, go) for n, octets in enumerate(tables)]
    lapwing.wait_established()
    check_equal({p["hold_time"] for p in lapwing.peers().values()}, {HOLD_TIME}, "hold times")
    begin = time.monotonic()
    go.set()

    def unharmed():
        lapwing.process.check_alive()
        for sender in senders:
            check(sender.failure is None and not sender.speaker.closed,
                  f"a session ended: {sender.failure}; {lapwing.process.log()}")
            check_equal([m for m in sender.speaker.heard if m[18] == NOTIFICATION], [], "NOTIFICATIONs")
        for name, peer in lapwing.peers().items():
            check_equal((peer["state"], peer["established"]), ("Established", 1), name)

    def complete():
        unharmed()
        time.sleep(0.3)
        status = lapwing.status()
        return status["routes"] == NEIGHBORS * ROUTES and status["store_pending"] == 0
    wait_for(complete, PATIENCE, f"{NEIGHBORS} tables of {ROUTES} routes",
             lambda: f"{lapwing.status()}\n{lapwing.process.log()}")
    print(f"{NEIGHBORS} tables of {ROUTES} routes after {time.monotonic() - begin:.1f} s", flush=True)
    end = time.monotonic() + HOLD_TIME + 3
    while time.monotonic() < end:
        unharmed()
        time.sleep(0.5)
    silence = max(s.longest_silence for s in senders)
    check(silence < HOLD_TIME, f"a neighbour heard nothing for {silence:.1f} s")
    print(f"the longest that a neighbour heard nothing: {silence:.1f} s")
    for sender in senders:
        sender.stop()
    lapwing.stop()


run(ten, __doc__)
