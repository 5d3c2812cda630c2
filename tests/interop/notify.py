#!/usr/bin/env python3
"""What the service manager is told (sd_notify(3)): ready, status, watchdog, reloading, stopping."""

import os
import signal
import socket
import time

from case import COLLECTOR_AS, Lapwing, check, check_equal, run, wait_for


def notify(scratch, binary):
    path = scratch.file("notify.sock")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(0.2)
    heard = []

    def listen():
        try:
            while True:
                heard.append((time.monotonic(), manager.recv(4096).decode()))
        except TimeoutError:
            return heard

    def has(text):
        return lambda: any(line.startswith(text) for _, line in listen())

    os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="2000000")
    os.environ.pop("WATCHDOG_PID", None)
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=[])
    try:
        lapwing.start()
    finally:
        del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
    wait_for(has("READY=1"), 15, "READY=1", lambda: str(heard))
    wait_for(has("STATUS=0 of 0 neighbours up, 0 routes, 0 events"), 15, "STATUS", lambda: str(heard))

    def beats():
        return [t for t, line in listen() if line == "WATCHDOG=1"]

    wait_for(lambda: len(beats()) >= 4, 30, "four beats of the watchdog", lambda: str(heard))
    check(max(b - a for a, b in zip(beats(), beats()[1:])) < 10, f"beats come regularly: {beats()}")

    # A process that is stopped beats no more: nobody beats in its place.
    lapwing.process.signal(signal.SIGSTOP)
    time.sleep(0.3)
    listen()
    before = len(beats())
    time.sleep(1.5)
    check_equal(len(beats()), before, "beats of a stopped process")
    lapwing.process.signal(signal.SIGCONT)
    wait_for(lambda: len(beats()) > before, 15, "it beats again")

    lapwing.process.signal(signal.SIGHUP)
    wait_for(has("RELOADING=1\nMONOTONIC_USEC="), 15, "RELOADING=1", lambda: str(heard))
    wait_for(lambda: [line for _, line in listen()].count("READY=1") == 2, 15, "READY=1 after it")
    lapwing.stop()
    check(has("STOPPING=1")(), f"STOPPING=1: {heard}")


run(notify, __doc__)
