#!/usr/bin/env python3
"""Latency from an UPDATE to its syslog datagram, with the sync to disk in between.

tests/bench/latency.py --binary .build/release/lapwing [--table 1000000] [--changes 10000]
                       [--storage 'sync-interval = "0s"']

One neighbour announces a full table. Then 10,000 origins gain a new upstream, one after the other:
the clock runs from just before the UPDATE is written to the socket until the datagram of its
new-upstream event is there, on loopback. Once with nothing else going on, and once while a second
neighbour sends 10,000 UPDATEs a second. Prints p50, p99 and the worst in milliseconds.
Then changes without an event, 100 and 10,000 UPDATEs a second: CPU and what is written. --storage: lines of
[storage].
"""

import argparse
import multiprocessing
import os
import random
import re
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))

from lapwing import Lapwing, Neighbor  # noqa: E402
from process import LabError, Scratch, free_port, wait_for  # noqa: E402
from speaker import END_OF_RIB4, KEEPALIVE, UPDATE, Speaker, message  # noqa: E402

COLLECTOR_AS, FEED_AS, NOISE_AS = 64512, 64501, 64502
FIRST_ORIGIN = 4200000000
NOISE_RATE = 10000
SECONDS = 10
RAISED = re.compile(rb' NEW_UPSTREAM .* origin_as="(\d+)"')


def update(path, prefixes):
    """One UPDATE; prefixes are 24-bit numbers, each a /24."""
    as_path = bytes([2, len(path)]) + b"".join(struct.pack("!I", a) for a in path)
    attributes = (b"\x40\x01\x01\x00" + bytes([0x40, 2, len(as_path)]) + as_path
                  + b"\x40\x03\x04" + socket.inet_aton("192.0.2.11"))
    nlri = b"".join(b"\x18" + p.to_bytes(3, "big") for p in prefixes)
    return message(UPDATE, b"\0\0" + struct.pack("!H", len(attributes)) + attributes + nlri)


def table(first, count, origins, neighbor_as):
    """The first `origins` prefixes have an origin each, the others share some thousand paths."""
    rng = random.Random(1)
    out = [update((neighbor_as, 1103, 65001, FIRST_ORIGIN + i), [first + i])
           for i in range(origins)]
    for at in range(first + origins, first + count, 100):
        path = (neighbor_as, rng.choice((1299, 2914, 3356, 6939)), rng.randrange(1000, 20000),
                rng.randrange(20000, 60000))
        out.append(update(path, range(at, min(at + 100, first + count))))
    return b"".join(out)


def make_noise(speaker_socket, first, count, rate, stop):
    """`rate` updates a second: another transit AS for a prefix, no event."""
    rng = random.Random(2)
    each = rate // 100
    due = time.monotonic()
    late = 0
    while not stop.is_set():
        speaker_socket.sendall(b"".join(
            update((NOISE_AS, rng.randrange(1000, 20000), 3356, 30001), [first + rng.randrange(count)])
            for _ in range(each)) + message(KEEPALIVE))
        due += 0.01
        pause = due - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        else:
            late = max(late, -pause)
    if late > 1:
        print(f"note: the noise was up to {late:.1f} s late: less than {rate} updates a second")


def drain(receiver):
    receiver.setblocking(False)
    try:
        while receiver.recv(65536):
            pass
    except BlockingIOError:
        pass
    receiver.settimeout(5)


def measure(speaker, receiver, first, changes, upstream, keepalive):
    drain(receiver)
    taken = []
    for i in range(changes):
        octets = update((FEED_AS, 1103, upstream, FIRST_ORIGIN + i), [first + i])
        start = time.perf_counter()
        speaker.send(octets)
        while True:
            found = RAISED.search(receiver.recv(65536))
            if found and int(found[1]) == FIRST_ORIGIN + i:
                break
        taken.append(time.perf_counter() - start)
        if i % 500 == 0:
            keepalive()
    return sorted(taken)


def report(what, taken):
    def at(share):
        return 1000 * taken[min(len(taken) - 1, int(share * len(taken)))]
    print(f"{what}: {len(taken)} changes, p50 {at(0.5):.2f} ms, p99 {at(0.99):.2f} ms, "
          f"worst {1000 * taken[-1]:.2f} ms", flush=True)


class Noise:
    """Changes without an event from a process of its own, while the block runs."""

    def __init__(self, speaker, first, count, rate):
        self._stop = multiprocessing.Event()
        self._process = multiprocessing.Process(target=make_noise,
                                                args=(speaker._socket, first, count, rate, self._stop))

    def __enter__(self):
        self._process.start()
        time.sleep(2)

    def __exit__(self, kind, value, trace):
        self._stop.set()
        self._process.join(10)


def cost(pid):
    """(CPU seconds, octets given to the disk) until now."""
    with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/io") as io:
        fields = stat.read().rsplit(")", 1)[1].split()
        written = int(re.search(r"^write_bytes: (\d+)", io.read(), re.M)[1])
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), written


def bench(scratch, args):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    receiver.bind(("127.0.0.1", 0))
    port = free_port()
    neighbors = [Neighbor("feed", "127.0.0.11", FEED_AS, port=179, local_address="127.0.0.1",
                          passive=True),
                 Neighbor("noise", "127.0.0.12", NOISE_AS, port=179, local_address="127.0.0.1",
                          passive=True)]
    lapwing = Lapwing(scratch, os.path.abspath(args.binary), local_as=COLLECTOR_AS,
                      neighbors=neighbors, listen=[f"127.0.0.1:{port}"],
                      syslog=[f"udp://127.0.0.1:{receiver.getsockname()[1]}"])
    lapwing.storage_extra = args.storage
    lapwing.start()
    speakers = [Speaker(asn=n.peer_as, address=n.address, peer_address="127.0.0.1", peer_port=port,
                        router_id=f"192.0.2.{11 + i}") for i, n in enumerate(neighbors)]

    def keepalive():
        for speaker in speakers:
            speaker.send(message(KEEPALIVE))

    first, noise_first, noise_count = 1 << 16, 0xC00000, 100000
    print(f"announcing {args.table} prefixes", flush=True)
    speakers[0].send(table(first, args.table, args.changes, FEED_AS) + END_OF_RIB4)
    speakers[1].send(table(noise_first, noise_count, 0, NOISE_AS) + END_OF_RIB4)

    def loaded():
        keepalive()
        time.sleep(0.2)
        status = lapwing.status()
        return status["routes"] == args.table + noise_count and status["store_pending"] == 0
    wait_for(loaded, 300, "the table is held and stored", lambda: str(lapwing.status()))

    report("idle", measure(speakers[0], receiver, first, args.changes, 65002, keepalive))
    with Noise(speakers[1], noise_first, noise_count, NOISE_RATE):
        report(f"under {NOISE_RATE} updates a second",
               measure(speakers[0], receiver, first, args.changes, 65003,
                       lambda: speakers[0].send(message(KEEPALIVE))))
    for rate in (100, NOISE_RATE):
        keepalive()
        with Noise(speakers[1], noise_first, noise_count, rate):
            cpu, written = cost(lapwing.process.pid)
            time.sleep(SECONDS)
            cpu_after, written_after = cost(lapwing.process.pid)
        print(f"{rate} updates a second without an event: {100 * (cpu_after - cpu) / SECONDS:.1f} % of a "
              f"core, {(written_after - written) / SECONDS / 1e3:.0f} KB/s written", flush=True)
    lapwing.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--table", type=int, default=1000000)
    parser.add_argument("--changes", type=int, default=10000)
    parser.add_argument("--storage", default="")
    args = parser.parse_args()
    try:
        with Scratch() as scratch:
            bench(scratch, args)
    except (LabError, socket.timeout) as error:
        sys.exit(f"FAILED: {error or 'a datagram did not come'}")


main()
