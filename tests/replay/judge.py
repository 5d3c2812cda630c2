#!/usr/bin/env python3
"""What `bgpdump -m` says of new upstreams, worked out apart from Lapwing's code.

judge.py EVENTS.jsonl FILE...   compares: the events of a replay of these MRT files, in this order

It knows a table, UPDATEs and session states, and the rules of docs/DETECTORS.md that decide what a
first table is. It knows no share, flap or storm. bgpdump does not show where a message ends: rows
of one second, neighbour and path count as one. Where some of these teach and others do not, either
answer is right.
"""

import json
import subprocess
import sys
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))

from process import find_program  # noqa: E402

QUIET = 60  # seconds without an UPDATE that end a first table
ESTABLISHED = "6"
AS_TRANS = "23456"


def adjacency(path):
    """(origin, upstream) of an AS path as bgpdump prints it; None where it shows none."""
    hops = []
    for hop in path.split():
        if hop.startswith("("):
            continue
        if not hops or hops[-1] != hop:
            hops.append(hop)
    if len(hops) < 2 or any(h.startswith("{") or h == AS_TRANS for h in hops[-2:]):
        return None
    return int(hops[-1]), int(hops[-2])


class Neighbor:
    def __init__(self):
        self.seen = set()         # prefixes that had a route
        self.first_table = False  # of a session whose beginning was seen
        self.complete = False     # a first table was complete once
        self.last = 0
        self.midway = True

    def advance(self, time):
        if self.first_table and time >= self.last + QUIET:
            self.first_table, self.complete = False, True

    def teaches(self, prefix):
        """True when an announcement of it is no news, whatever its path."""
        if self.complete:
            return False
        return not self.midway or prefix not in self.seen


class Judge:
    def __init__(self):
        self.neighbors = {}
        self.known = set()
        self.new = set()        # (origin, upstream, second)
        self.undecided = set()  # the same

    def read(self, path):
        done = subprocess.Popen([find_program("bgpdump"), "-m", str(path)], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        rows = (line.rstrip("\n").split("|") for line in done.stdout)
        in_table = set()
        for (kind, time, address, _, path_text), group in groupby(
                rows, key=lambda r: (r[2], int(float(r[1])), r[3], r[4], r[6] if len(r) > 6 else "")):
            neighbor = self.neighbors.setdefault(address, Neighbor())
            neighbor.advance(time)
            if kind == "B":
                in_table.add(address)
                neighbor.midway = False
            elif in_table:
                self.end_table(in_table)
            if kind == "STATE":
                self.state(neighbor, list(group)[-1], time)
            elif kind == "W":
                neighbor.last = time
            else:
                neighbor.last = time
                self.announce(neighbor, [row[5] for row in group], path_text, time)
        self.end_table(in_table)
        done.wait()

    def end_table(self, addresses):
        for address in addresses:
            self.neighbors[address].complete = True
        addresses.clear()

    @staticmethod
    def state(neighbor, row, time):
        if row[6] == ESTABLISHED:
            neighbor.midway = False
            neighbor.first_table = not neighbor.complete
            neighbor.last = time
        else:
            neighbor.first_table = False

    def announce(self, neighbor, prefixes, path_text, time):
        found = adjacency(path_text)
        teaches = [neighbor.teaches(prefix) for prefix in prefixes]
        neighbor.seen.update(prefixes)
        if found is None or found in self.known:
            return
        self.known.add(found)
        if not any(teaches):
            self.new.add((*found, time))
        elif not all(teaches):
            self.undecided.add((*found, time))


def told(events):
    """The same of Lapwing's events."""
    from datetime import datetime
    return {(e["origin_as"], e["upstream_as"],
             int(datetime.fromisoformat(e["time"].replace("Z", "+00:00")).timestamp()))
            for e in events if e["type"] == "new-upstream"}


def compare(events, files):
    """(told, but not shown by bgpdump; shown, but not told; the same in both): sets."""
    judge = Judge()
    for path in files:
        judge.read(path)
    got = told(events)
    return got - judge.new - judge.undecided, judge.new - got, got & (judge.new | judge.undecided)


def main():
    with open(sys.argv[1]) as source:
        events = [json.loads(line) for line in source]
    extra, missing, same = compare(events, sys.argv[2:])
    for text, rows in (("told, but bgpdump does not show it", extra),
                       ("not told, but bgpdump shows it", missing)):
        for row in sorted(rows, key=lambda r: r[2]):
            print(text, row)
    print(f"{len(same)} new upstreams as bgpdump shows them, {len(extra)} too many, "
          f"{len(missing)} missing")
    return 1 if extra or missing else 0


if __name__ == "__main__":
    sys.exit(main())
