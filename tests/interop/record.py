#!/usr/bin/env python3
"""Live equals replay: the recording of a live run, replayed, gives the events of that run.

BIRDs change their paths, lose and reset their sessions and refresh their tables, over IPv4, IPv6, with
ADD-PATH and with two-octet ASNs. Lapwing records. Then the recording is replayed: the events are equal
octet for octet but for the member `cause`, which says `replay` where it said `live`, and for the reason of
a lost session, for which an MRT state change has no room. bgpdump must read every file of the recording and find in it what the replay finds.
"""

import glob
import json
import time

from case import NEW, ORIGIN, STAR, Net, check, check_equal, run, table, wait_for
from mrtfiles import bgpdump, kinds, replay, summary_number

SETTINGS = """
[record]
directory    = "{directory}"
rotate-every = {every}
compression  = "{compression}"

[watch]
origins = [131279]

[detector.new-upstream]
share-window       = 1
share-window-quiet = 1

[detector.path-change]
window = 1
"""


def pause():
    """Longer than the detectors' windows and a tick: what waits for a timer is reported."""
    time.sleep(2.5)


def play(net):
    first, second, third = net.birds

    def change(bird, paths):
        before = net.lapwing.peers()[bird.name]["updates_received"]
        bird.set_routes({**bird.routes, **paths})
        wait_for(lambda: net.lapwing.peers()[bird.name]["updates_received"] > before, 15,
                 f"{bird.name} announces its change")

    change(first, {STAR[0]: (1103, NEW, ORIGIN)})
    pause()
    change(third, {p: (1103, NEW, ORIGIN) for p in STAR[:3]})
    pause()
    # A session lost, and back with other paths: found by comparison.
    first.process.kill()
    wait_for(lambda: net.lapwing.peers()[first.name]["stale"] == len(first.routes), 15,
             "routes of a lost session are stale")
    first.routes.update({STAR[3]: (1103, 64499, ORIGIN), "198.18.3.0/24": (64498,)})
    del first.routes["198.18.4.0/24"]
    first.start()
    net.settle()
    pause()
    # A reset and a refresh without news.
    second.birdc("restart lapwing")
    wait_for(lambda: net.lapwing.peers()[second.name]["established"] == 2, 15, "a second session")
    net.settle()
    before = net.lapwing.peers()[third.name]["updates_received"]
    third.birdc("reload out lapwing")
    wait_for(lambda: net.lapwing.peers()[third.name]["updates_received"] > before, 15, "a refresh")
    change(first, {STAR[0]: (1103, 4837, ORIGIN)})
    pause()


def without_reason(line):
    """The event without what only the live session could say."""
    event = json.loads(line)
    if event["type"] not in ("peer-down", "peer-up", "peer-blind"):
        return line
    return json.dumps({k: v for k, v in event.items() if k not in ("reason", "summary")})


def record(scratch, binary):
    directory = scratch.file("recording")
    net = Net(scratch, binary, extra=SETTINGS.format(directory=directory, every=10,
                                                      compression="gzip"))
    net.add_bird("router", 64501, table())
    net.add_bird("old", 64502, table(50, 10), active=False, options="enable as4 off;")
    net.add_bird("paths", 64503, table(80, 20), channel="add paths tx;")
    net.neighbors[-1].extra["add-path"] = "true"
    net.start()
    play(net)
    end = net.lapwing.events()[-1]["time"]
    held = {peer: p["routes"] for peer, p in net.lapwing.peers().items()}
    net.lapwing.stop()

    files = sorted(glob.glob(directory + "/updates.*.mrt.gz"))
    check(len(files) >= 2, f"the recording is rotated every 10 s: {files}")
    lines, summary = replay(binary, net.lapwing.config_path, files)
    got = [line for line in lines if json.loads(line)["time"] <= end]
    check(any('"type":"new-upstream"' in line for line in got) and
          any('"cause":"resync"' in line for line in got), f"the run raised too little: {got}")
    live = [line for line in net.lapwing.event_lines() if json.loads(line)["time"] <= end]
    as_replayed = [without_reason(line.replace('"cause":"live"', '"cause":"replay"'))
                   for line in live]
    got = [without_reason(line) for line in got]
    check_equal(len(got), len(as_replayed), f"events of the replay of {len(live)} live ones")
    for number, (one, other) in enumerate(zip(as_replayed, got)):
        check(one == other, f"event {number} differs\nlive:   {one}\nreplay: {other}")
    check_equal(summary_number(summary, "routes"), sum(held.values()), "routes at the end")
    check_equal(summary_number(summary, "malformed"), 0, "malformed records")

    # A file alone, and all of it without a configuration that names the neighbours.
    rows = [row for path in files for row in bgpdump(path)]
    count = kinds(rows)
    check_equal(count["A"], summary_number(summary, "announcements"), "announcements, bgpdump")
    check_equal(count["W"], summary_number(summary, "withdrawals"), "withdrawals, bgpdump")
    check(count["STATE"] >= 8, f"state changes, bgpdump: {count}")
    bare = scratch.write("bare.toml", SETTINGS[SETTINGS.index("[watch]"):])
    check_equal(replay(binary, bare, files)[0], lines, "events of a replay without the neighbours")
    print(f"{len(got)} events, live and replayed; {len(files)} files, {len(rows)} rows of bgpdump")


run(record, __doc__)
