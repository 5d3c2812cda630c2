#!/usr/bin/env python3
"""AS131279 gains a second upstream, 1-2 October 2017: the story as data.

Used twice: as an MRT file with the true times (tests/replay) and in fast motion with live sessions
(tests/lab/story). Run as a program it writes the MRT file: star_jv_2017.py FILE

What is public: the four prefixes, the upstreams, and the times of the steps below that have
`published`. Not published, and therefore chosen here: the exact minutes of the four outages, the
neighbours (three, with ASNs reserved for documentation), the full AS paths (everything to the left
of the upstream), which neighbour saw a step first, and the background routes.
"""

import os
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from mrt import MrtWriter, Peer  # noqa: E402

ORIGIN = 131279
OLD, NEW = 4837, 20485  # China Unicom, Transtelecom
P176, P177, P178, P179 = (f"175.45.{n}.0/24" for n in (176, 177, 178, 179))
PREFIXES = (P176, P177, P178, P179)


@dataclass(frozen=True)
class Vantage:
    """A neighbour, and how it reaches each of the two upstreams."""
    name: str
    asn: int
    address: str
    to: dict

    def path(self, upstream):
        """Without the neighbour's own ASN, nearest first."""
        return (*self.to[upstream], upstream, ORIGIN)


VANTAGES = (
    Vantage("vantage1", 64501, "192.0.2.11", {OLD: (1103,), NEW: (1103,)}),
    Vantage("vantage2", 64502, "192.0.2.12", {OLD: (3356,), NEW: (3356, 1299)}),
    Vantage("vantage3", 64503, "192.0.2.13", {OLD: (6939,), NEW: ()}),
)


@dataclass(frozen=True)
class Step:
    """From `time` on, `routes` says which upstream each prefix is behind; a missing one is down.

    `expect`: the types of events about NEW that must come of it, and no other of them.
    `share`: of how many of the origin's prefixes, out of how many, the step's last event about NEW
    says that they are behind it; None where no such event is due.
    `first`: the first neighbour sees it at `time`; otherwise the last one does.
    """
    time: datetime
    text: str
    routes: dict
    published: bool = True
    expect: tuple = ()
    share: tuple = None
    first: bool = True


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


ALL_OLD = dict.fromkeys(PREFIXES, OLD)
THREE_NEW = {P176: NEW, P177: OLD, P178: NEW, P179: NEW}
BASELINE = utc("2017-10-01T08:00:00")

_OUTAGES = (("10:47:00", "10:51:30"), ("11:12:20", "11:16:00"), ("11:38:10", "11:43:40"),
            ("12:09:00", "12:13:00"))


def _outage_steps():
    for number, (down, up) in enumerate(_OUTAGES, 1):
        yield Step(utc(f"2017-10-01T{down}"), f"outage {number} of 4: all four routes are down", {},
                   published=False)
        yield Step(utc(f"2017-10-01T{up}"), f"outage {number} of 4 is over", ALL_OLD,
                   published=False)


STEPS = (
    Step(utc("2017-10-01T09:07:51"), "AS20485 is transit for .176, .178 and .179", THREE_NEW,
         expect=("new-upstream",), share=(3, 4)),
    Step(utc("2017-10-01T10:14:45"), "AS20485 disappears", ALL_OLD, expect=("upstream-gone",),
         first=False),
    *_outage_steps(),
    Step(utc("2017-10-01T12:21:55"), "AS20485 is back for the same three", THREE_NEW,
         expect=("upstream-returned",), share=(3, 4)),
    Step(utc("2017-10-02T07:56:39"), ".176 is no longer behind AS20485", {**THREE_NEW, P176: OLD},
         share=(2, 4), first=False),
    Step(utc("2017-10-02T09:10:29"), ".179 is no longer behind AS20485: only .178 is left",
         {**ALL_OLD, P178: NEW}, share=(1, 4), first=False),
)


def background(count=300):
    """{prefix: [path by vantage]} of routes that never change their upstream: no event."""
    routes = {}
    for n in range(count):
        prefix = f"198.{18 + n // 256}.{n % 256}.0/24"
        origin = 4200000000 + n // 3
        upstream = 65000 + n % 40
        routes[prefix] = [(v.to[OLD][0], upstream, origin) for v in VANTAGES]
    for n in range(count // 3):
        origin = 4200000000 + n
        routes[f"2001:db8:{n:x}::/48"] = [(v.to[OLD][0], 65000 + n % 40, origin) for v in VANTAGES]
    return routes


def seen_at(step):
    """When each vantage point sees the step: one after the other within 2.6 s."""
    offsets = (0.0, 1.1, 2.6) if step.first else (-2.6, -1.1, 0.0)
    return [step.time + timedelta(seconds=s) for s in offsets]


def write_mrt(target):
    writer = MrtWriter()
    peers = [Peer(v.asn, v.address) for v in VANTAGES]
    ribs = background()
    table = {p: {n: (v.asn, *ribs[p][n]) for n, v in enumerate(VANTAGES)} for p in ribs}
    for prefix in PREFIXES:
        table[prefix] = {n: (v.asn, *v.path(OLD)) for n, v in enumerate(VANTAGES)}
    writer.table(BASELINE.timestamp(), peers, table)

    before = ALL_OLD
    for number, step in enumerate(STEPS):
        for peer, vantage, time in zip(peers, VANTAGES, seen_at(step)):
            stamp = time.timestamp()
            gone = [p for p in PREFIXES if p in before and p not in step.routes]
            if gone:
                writer.update(stamp, peer, withdraw=gone)
            for upstream in (OLD, NEW):
                changed = [p for p in PREFIXES
                           if step.routes.get(p) == upstream and before.get(p) != upstream]
                if changed:
                    writer.update(stamp, peer, (vantage.asn, *vantage.path(upstream)), changed)
        # Background noise after each step: longer and shorter paths behind the same upstreams.
        for n, prefix in enumerate(list(ribs)[:20]):
            peer, vantage, route = peers[n % 3], VANTAGES[n % 3], ribs[prefix][n % 3]
            path = (vantage.asn, *route) if number % 2 else (vantage.asn, 174, *route)
            writer.update((step.time + timedelta(seconds=60 + n)).timestamp(), peer, path, [prefix])
        before = step.routes
    writer.save(target)


NEW_TYPES = ("new-upstream", "upstream-gone", "upstream-returned")


def parse_time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def by_step(events, starts):
    """The events of each step: those since it began and before the next one did."""
    steps = [[] for _ in STEPS]
    for event in events:
        number = sum(1 for start in starts if start <= parse_time(event["time"])) - 1
        steps[max(number, 0)].append(event)
    return steps


def judge_step(number, events):
    """Compares the events of one step with the facts; returns a list of problems."""
    step = STEPS[number]
    where = f"step {number + 1} ({step.time:%Y-%m-%d %H:%M:%S}, {step.text})"
    about = [e for e in events if e.get("origin_as") == ORIGIN and e.get("upstream_as") == NEW]
    problems = []
    kinds = tuple(e["type"] for e in about if e["type"] in NEW_TYPES)
    if kinds != step.expect:
        problems.append(f"{where}\n    expected: {list(step.expect)}\n    reported: {list(kinds)}")
    shares = [(e["prefix_count"], e["origin_prefix_count"]) for e in about
              if e["type"] in ("new-upstream", "upstream-returned", "upstream-share")]
    last = shares[-1] if shares else None
    if last != step.share:
        problems.append(f"{where}\n    expected share: {step.share}\n    reported share: {last}")
    if "new-upstream" in step.expect:
        problems += judge_explanation(where, events)
    return problems


def judge_explanation(where, events):
    """The path changes of the three prefixes point to the new upstream's incident."""
    incidents = {e["incident"] for e in events if e["type"] == "new-upstream"}
    explained = {p for e in events if e["type"] == "path-change" and e["upstream_as"] == NEW
                 and e.get("explained_by") in incidents for p in e["prefixes"]}
    wanted = {P176, P178, P179}
    if explained == wanted:
        return []
    return [f"{where}\n    path changes explained by it, expected: {sorted(wanted)}\n"
            f"    reported: {sorted(explained)}"]


def judge(events, starts=None):
    """Compares all events (as JSON) with the facts; returns a list of problems, empty if none.

    `starts`: when each step began, for a story that was played at another time.
    """
    problems = []
    starts = starts or [min(seen_at(s)) for s in STEPS]
    early = [e["summary"] for e in events if parse_time(e["time"]) < starts[0]]
    if early:
        problems.append(f"events before the first step: {early}")
    new = [(e["origin_as"], e["upstream_as"]) for e in events if e["type"] == "new-upstream"]
    if new != [(ORIGIN, NEW)]:
        problems.append(f"exactly one new-upstream is due, AS{ORIGIN} behind AS{NEW}; "
                        f"reported: {new}")
    matters = {e["incident"] for e in events if e["type"] in NEW_TYPES and e["upstream_as"] == NEW}
    if len(matters) > 1:
        problems.append(f"all events about AS{NEW} belong to one incident; reported: {matters}")
    strangers = [e["summary"] for e in events if e.get("origin_as") not in (ORIGIN, None)]
    if strangers:
        problems.append(f"events about other origins: {strangers}")
    for number, got in enumerate(by_step(events, starts)):
        problems += judge_step(number, got)
    return problems


if __name__ == "__main__":
    write_mrt(sys.argv[1])
