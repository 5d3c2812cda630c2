#!/usr/bin/env python3
"""Outages of a TCP receiver, of the disk and of Lapwing's process: every event arrives, in order.

What comes twice from one run says so (repeat="true"); after a kill -9 the id tells. With --full rsyslog and
syslog-ng are away for two minutes while 10,000 events arise, and nothing else is tried.
"""

import os
import re
import signal
import socket
import sys
import time

from case import check, check_equal, run, wait_for
from feed import Certificates, Feed, TcpReceiver
from process import Skip, free_port
from small_disk import SmallDisk
from syslog_judges import judge_of

COUNT = 10000
FULL = "--full" in sys.argv
ID = re.compile(r' id="([0-9a-f]{32})"')


def ids(messages):
    return [ID.search(m)[1] for m in messages]


def first_ones(messages):
    return list(dict.fromkeys(ids(messages)))


def unmarked_repeats(messages):
    seen, out = set(), []
    for message, event in zip(messages, ids(messages)):
        if event in seen and ' repeat="true"' not in message:
            out.append(event)
        seen.add(event)
    return out


def start_feed(scratch, binary, port, *, name, count=COUNT, rate=2000, store=None, more=()):
    sink = {"target": f"tcp://127.0.0.1:{port}", "hostname": "lab", "longest-pause": 1}
    return Feed(scratch, binary, [("syslog", sink)], store=store or scratch.file(f"store-{name}"),
                arguments=["--count", str(count), "--rate", str(rate), "--until-delivered", *more],
                name=name)


def check_all(what, messages, feed):
    wanted = [e["id"] for e in feed.events()]
    got = first_ones(messages)
    missing = [i for i in wanted if i not in set(got)]
    check(not missing, f"{what}: {len(missing)} of {len(wanted)} are missing: {missing[:3]}")
    check_equal(got == wanted, True, f"{what}: the order is that of the journal")


def receiver_down(scratch, binary):
    """Nobody listens while the events arise; then all are there, in order, once."""
    port = free_port()
    feed = start_feed(scratch, binary, port, name="down")
    feed.events()
    wait_for(lambda: any(s["retries"] >= 2 and s["cursor"] == 0 for s in feed.lines("sink")), 120,
             "the sink has tried in vain", feed.tail)
    receiver = TcpReceiver(port)
    feed.wait_delivered()
    check_all("receiver down", receiver.messages, feed)
    check_equal(len(receiver.messages), COUNT, "receiver down: once each")
    receiver.close()


def receiver_killed(scratch, binary):
    """The receiver dies in the middle of a message, and with messages unread, again and again."""
    port = free_port()
    feed = start_feed(scratch, binary, port, name="killed", rate=400)
    messages = []
    for enough in (100, 300, 900, 2700):
        receiver = TcpReceiver(port)
        wait_for(lambda r=receiver, n=enough: len(r.messages) >= n, 120,
                 f"{enough} messages, then the receiver dies", feed.tail)
        if enough != 300:
            receiver.stall()
            time.sleep(0.5)
        receiver.close()
        messages += receiver.messages
        time.sleep(0.1)
    receiver = TcpReceiver(port)
    feed.wait_delivered()
    messages += receiver.messages
    receiver.close()
    check_all("receiver killed", messages, feed)
    check_equal(unmarked_repeats(messages), [], "receiver killed: what comes twice says so")


def receiver_never_reads(scratch, binary):
    """A receiver takes the connection and reads nothing; then it dies, and another one gets all."""
    port = free_port()
    silent = socket.create_server(("127.0.0.1", port))
    feed = start_feed(scratch, binary, port, name="silent", rate=4000)
    connection, _ = silent.accept()
    feed.events()
    stuck = wait_for(lambda: feed.lines("sink")[-1:], 60, "a status")[0]
    check(stuck["cursor"] < COUNT, f"the cursor ran ahead of a receiver that reads nothing: {stuck}")
    connection.close()
    silent.close()
    receiver = TcpReceiver(port)
    feed.wait_delivered()
    check_all("receiver never reads", receiver.messages, feed)
    check_equal(unmarked_repeats(receiver.messages), [], "never reads: what comes twice says so")
    receiver.close()


def lapwing_killed(scratch, binary):
    """kill -9 during delivery: what the journal has is delivered from the cursor by the next run."""
    port = free_port()
    receiver = TcpReceiver(port)
    for turn in range(4):
        feed = start_feed(scratch, binary, port, name="crash", rate=300)
        enough = 500 + 2000 * turn
        wait_for(lambda: len(set(ids(receiver.messages[:]))) >= enough, 120,
                 f"{enough} messages, then kill -9", feed.tail)
        feed.process.signal(signal.SIGKILL)
        feed.process.wait(5)
    os.truncate(feed.process.log_path, 0)
    feed = start_feed(scratch, binary, port, name="crash", rate=4000)
    feed.wait_delivered()
    check_all("kill -9", receiver.messages, feed)
    again = len(receiver.messages) - len(set(ids(receiver.messages)))
    print(f"kill -9: {again} of {COUNT} came twice")
    check(again < COUNT / 2, f"kill -9: {again} messages came twice: the cursor is not kept")
    receiver.close()


def disk_full(scratch, binary):
    """The disk fills up while events arise: they wait in memory and arrive when there is room."""
    with SmallDisk(scratch, 96) as disk:
        port = free_port()
        receiver = TcpReceiver(port)
        feed = start_feed(scratch, binary, port, name="full", count=3000, rate=60,
                          store=os.path.join(disk.path, "store"), more=["--padding", "8000"])
        wait_for(lambda: len(receiver.messages) >= 100, 120, "the first messages", feed.tail)
        disk.fill()

        def stands_still():
            before = len(receiver.messages)
            time.sleep(1)
            return len(receiver.messages) == before
        wait_for(stands_still, 120, "nothing can be stored any more", feed.tail)
        check(len(receiver.messages) < 3000, "the disk was never full")
        feed.process.check_alive()
        disk.free()
        feed.wait_delivered()
        check_all("disk full", receiver.messages, feed)
        receiver.close()


def judges_down(scratch, binary):
    """rsyslog and syslog-ng are away, by TCP and TLS, while the events arise; then they have them."""
    certificates = Certificates(scratch)
    judges = []
    for name in ("rsyslog", "syslog-ng"):
        try:
            judges.append(judge_of(name, scratch, certificates))
        except Skip as why:
            print(f"skipped: {name}: {why}")
    sinks = [("syslog", {"target": target, "hostname": "lab", "longest-pause": 5, "name": f"{judge.name}-{t}",
                         **more})
             for judge in judges for t, (target, more) in judge.targets.items() if t != "udp"]
    for judge in judges:
        judge.process.stop()
    seconds = 120 if FULL else 10
    start = time.monotonic()
    feed = Feed(scratch, binary, sinks, store=scratch.file("store-judges"), name="judges", arguments=[
        "--count", str(COUNT), "--rate", str(COUNT // 10 // seconds + 1), "--until-delivered"])
    wanted = [e["id"] for e in feed.events(seconds + 120)]
    time.sleep(max(0, start + seconds - time.monotonic()))
    standing = feed.sinks()
    check_equal(sorted(standing), sorted(s["name"] for _, s in sinks), "sinks")
    for status in standing.values():
        check(status["cursor"] == 0 and status["retries"] >= 2 and status["last_error"],
              f"a sink whose receiver is away: {status}")
    print(f"the judges were away for {time.monotonic() - start:.0f} s; {len(wanted)} events arose")
    for judge in judges:
        judge.start()
    feed.wait_delivered()
    for judge in judges:
        for transport in ("tcp", "tls"):
            what = f"{judge.name} by {transport}"
            wait_for(lambda j=judge, t=transport: len(j.messages(t)) >= len(wanted), 60,
                     f"{what} has written every event", lambda j=judge: str(len(j.lines())))
            got = [m["sd"]["lapwing@32473"]["id"] for m in judge.messages(transport)]
            check_equal(got == wanted, True, f"{what}: every event, once, in order")
        judge.process.stop()


def outages(scratch, binary):
    cases = (receiver_down, receiver_killed, receiver_never_reads, lapwing_killed, disk_full, judges_down)
    for case in (judges_down,) if FULL else cases:
        start = time.monotonic()
        try:
            case(scratch, binary)
            print(f"{case.__name__}: {time.monotonic() - start:.1f} s", flush=True)
        except Skip as why:
            print(f"skipped: {case.__name__}: {why}")


run(outages, __doc__)
