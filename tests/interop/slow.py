#!/usr/bin/env python3
"""Clients that read a table of a million routes slowly change neither hold timers nor the latency of events."""

import http.client
import json
import socket
import statistics
import struct
import threading
import time

from case import COLLECTOR_AS, Lapwing, Neighbor, check, check_equal, free_port, run, wait_for
from speaker import END_OF_RIB4, KEEPALIVE, UPDATE, Speaker, message

ROUTES, PER_UPDATE, CLIENTS = 1_000_000, 250, 6
ORIGIN, HOLD_TIME = 65010, 6


def update(prefixes, *transit):
    path = (64501, *transit, ORIGIN)
    as_path = struct.pack(f"!BB{len(path)}I", 2, len(path), *path)
    attributes = (bytes([0x40, 1, 1, 0]) + bytes([0x40, 2, len(as_path)]) + as_path
                  + bytes([0x40, 3, 4]) + socket.inet_aton("192.0.2.1"))
    nlri = b"".join(bytes([24]) + struct.pack("!I", p << 8)[:3] for p in prefixes)
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + nlri)


class SlowClient(threading.Thread):
    """Asks for everything and takes 4 KiB four times a second."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.received, self.cut, self.ended = 0, False, threading.Event()
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._socket.sendall(b"GET /api/v1/routes?format=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.start()

    def run(self):
        while not self.ended.wait(0.25):
            data = self._socket.recv(4096)
            if not data:
                self.cut = True
                return
            self.received += len(data)
        self._socket.close()


class Follower(threading.Thread):
    """Notes when the first event about each upstream arrives."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.seen = {}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        connection.request("GET", "/api/v1/events/stream?type=new-upstream")
        self._answer = connection.getresponse()
        self.start()

    def run(self):
        for line in self._answer:
            if line.startswith(b"data: "):
                self.seen.setdefault(json.loads(line[6:])["upstream_as"], time.monotonic())


def slow(scratch, binary):
    port = free_port()
    neighbor = Neighbor("feeder", "127.0.0.1", 64501, passive=True, extra={"hold-time": HOLD_TIME})
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=[neighbor],
                      listen=[f"127.0.0.1:{port}"]).start()
    feeder = Speaker(asn=64501, address="127.0.0.1", peer_address="127.0.0.1", peer_port=port,
                     router_id="192.0.2.1")
    stop = threading.Event()

    silences = [0]  # of Lapwing, in seconds, seen every second

    def keep_alive():
        heard, last = 0, time.monotonic()
        while not stop.wait(1):
            feeder.send(message(KEEPALIVE))
            if (now_heard := feeder.kinds().count(KEEPALIVE)) != heard:
                heard, last = now_heard, time.monotonic()
            silences.append(time.monotonic() - last)

    threading.Thread(target=keep_alive, daemon=True).start()
    base = 10 << 16  # 10.0.0.0 in /24s
    for at in range(0, ROUTES, PER_UPDATE):
        feeder.send(update(range(base + at, base + at + PER_UPDATE)))
    feeder.send(END_OF_RIB4)
    lapwing.wait_routes(ROUTES, 240)
    follower = Follower(lapwing.http_port)

    def latencies(first, count):
        """Seconds from sending a change until the event that it causes is here, by way of the disk."""
        found = []
        for transit in range(first, first + count):
            begin = time.monotonic()
            feeder.send(update([base + transit], transit))
            wait_for(lambda: transit in follower.seen, 30, "the event is here",
                     lapwing.process.log)
            found.append(follower.seen[transit] - begin)
            time.sleep(0.3)
        return found

    alone = latencies(60_000, 20)
    begin = time.monotonic()
    clients = [SlowClient(lapwing.http_port) for _ in range(CLIENTS)]
    wait_for(lambda: all(c.received > 0 for c in clients), 30, "the slow clients read")
    beside = latencies(61_000, 40)
    check(time.monotonic() - begin > 2 * HOLD_TIME, "the hold timer had time to expire")
    check(not any(c.cut for c in clients), "the slow clients still read")
    held = sum(c.received for c in clients)
    check(held < CLIENTS * 8_000_000, f"the slow clients were slow: {held} octets")
    for client in clients:
        client.ended.set()
    limit = max(4 * statistics.median(alone), 0.5)
    check(statistics.median(beside) < limit,
          f"median {statistics.median(beside):.3f} s beside slow clients, "
          f"{statistics.median(alone):.3f} s without")
    check(max(beside) < max(4 * max(alone), 2), f"worst {max(beside):.3f} s beside slow clients, "
          f"{max(alone):.3f} s without")
    check_equal(lapwing.peers()["feeder"]["established"], 1, "times the session was established")
    check(max(silences) < HOLD_TIME, f"Lapwing was silent for {max(silences):.1f} s")
    stop.set()
    print(f"{ROUTES} routes, from a change to its event: median {statistics.median(alone):.4f} s, "
          f"worst {max(alone):.4f} s alone; median {statistics.median(beside):.4f} s, worst "
          f"{max(beside):.4f} s beside {CLIENTS} slow clients, which took {held} octets; longest "
          f"silence towards the neighbour {max(silences):.1f} s, hold time {HOLD_TIME} s")


run(slow, __doc__)
