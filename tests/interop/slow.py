#!/usr/bin/env python3
"""Clients that read a large table slowly change neither hold timers nor the latency of updates."""

import socket
import statistics
import struct
import threading
import time

from case import COLLECTOR_AS, Lapwing, Neighbor, check, check_equal, free_port, run, wait_for
from speaker import END_OF_RIB4, KEEPALIVE, UPDATE, Speaker, message

ROUTES, PER_UPDATE, CLIENTS = 200_000, 250, 6
AS_PATH = struct.pack("!BBII", 2, 2, 64501, 65010)


def update(prefixes, med=0):
    attributes = (bytes([0x40, 1, 1, 0]) + bytes([0x40, 2, len(AS_PATH)]) + AS_PATH
                  + bytes([0x40, 3, 4]) + socket.inet_aton("192.0.2.1")
                  + bytes([0x80, 4, 4]) + struct.pack("!I", med))
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


def slow(scratch, binary):
    port = free_port()
    neighbor = Neighbor("feeder", "127.0.0.1", 64501, passive=True, extra={"hold-time": 6})
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=[neighbor],
                      listen=[f"127.0.0.1:{port}"]).start()
    feeder = Speaker(asn=64501, address="127.0.0.1", peer_address="127.0.0.1", peer_port=port,
                     router_id="192.0.2.1")
    stop = threading.Event()

    def keep_alive():
        while not stop.wait(1):
            feeder.send(message(KEEPALIVE))

    threading.Thread(target=keep_alive, daemon=True).start()
    base = 10 << 16  # 10.0.0.0 in /24s
    for at in range(0, ROUTES, PER_UPDATE):
        feeder.send(update(range(base + at, base + at + PER_UPDATE)))
    feeder.send(END_OF_RIB4)
    lapwing.wait_routes(ROUTES, 60)

    def latencies(count):
        """Seconds from sending a change until it is counted as durable or waiting to be."""
        found = []
        for med in range(count):
            changes = changes_of(lapwing)
            begin = time.monotonic()
            feeder.send(update([base + med], med=int(begin * 1000) % 100_000 + 1))
            wait_for(lambda: changes_of(lapwing) > changes, 20, "the change is applied",
                     lapwing.process.log)
            found.append(time.monotonic() - begin)
        return found

    alone = latencies(10)
    clients = [SlowClient(lapwing.http_port) for _ in range(CLIENTS)]
    wait_for(lambda: all(c.received > 0 for c in clients), 30, "the slow clients read")
    beside = latencies(20)
    check(not any(c.cut for c in clients), "the slow clients still read")
    held = sum(c.received for c in clients)
    check(held < CLIENTS * 8_000_000, f"the slow clients were slow: {held} octets")
    for client in clients:
        client.ended.set()
    limit = max(4 * statistics.median(alone), 0.5)
    check(statistics.median(beside) < limit,
          f"median {statistics.median(beside):.3f} s beside slow clients, "
          f"{statistics.median(alone):.3f} s without")
    check_equal(lapwing.peers()["feeder"]["established"], 1, "times the session was established")
    stop.set()
    print(f"median latency {statistics.median(alone):.3f} s alone, "
          f"{statistics.median(beside):.3f} s beside {CLIENTS} slow clients")


def changes_of(lapwing):
    text = lapwing.get_raw("/metrics")[1]
    return next(int(x.split()[1]) for x in text.splitlines()
                if x.startswith("lapwing_rib_changes_total"))


run(slow, __doc__)
