#!/usr/bin/env python3
"""Replays MRT files and judges what comes out.

run.py --binary lapwing [--accept] CASE...   (default: all cases)

  story   the 2017 story: events equal star_jv_2017.jsonl, octet for octet, and the published facts
  scenarios  each scenarios/NAME.scenario: events equal NAME.jsonl beside it, and what it expects
  twice   the same files give the same octets, however they are compressed and wherever they lie
  counts  route counts of public MRT files equal bgpdump's
  jinx    a full table of 493,868 prefixes and the 15 minutes after it: the table raises nothing, and
          the new upstreams of the updates are those that `bgpdump -m` shows (judge.py)
  streams the same for public UPDATEs without a table, and for the Cloudflare outage of 2022
  options --from, --to, --watch, --merge and standard input

--accept writes the golden files anew; read the difference before you commit it. `counts`, `jinx` and
`streams` need LAPWING_SHARED_DATA; without it they say so and pass. Exit 77: every case was skipped.
"""

import argparse
import difflib
import gzip
import json
import os
import re
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lab"))

import as13335  # noqa: E402
import judge  # noqa: E402
import star_jv_2017 as facts  # noqa: E402
from process import LabError, Scratch, Skip  # noqa: E402
from scenario import Scenario, ScenarioError  # noqa: E402

GOLDEN = HERE / "star_jv_2017.jsonl"
CONFIG = f"[watch]\norigins = [{facts.ORIGIN}]\n"

# file: (routes in tables, announcements, withdrawals), as `bgpdump -m` (1.6.2) counts them.
BGPDUMP = {
    "bgpdump.bview.20020722.2337.gz": (115521, 0, 0),
    "bgpdump.bview.ipv4_unicast_add_path.gz": (62, 0, 0),
    "bgpdump.bview.ipv6_unicast_add_path.gz": (62, 0, 0),
    "bgpdump.updates.20020722.2238.gz": (0, 825, 2419),
    "bgpdump.updates.20070211.0141.gz": (0, 51329, 2328),
    "bgpdump.updates.20071015.1505.gz": (0, 10111, 385),
    "bgpdump.updates.20100722.2015.gz": (0, 5067, 547),
    "bgpdump.updates.20160811.1600.gz": (0, 39256, 1956),
    "bgpdump.updates.long_withdrawal.gz": (0, 0, 4096),
    # bgpdump says (0, 1, 0): it prints the NLRI before the one that is cut off (RFC 7606 3 j).
    "bgpdump.updates.nlri_mask_trailing_bits.gz": (0, 0, 0),
    "jinx.rib.20140501.0000.bz2": (499651, 0, 0),
    "jinx.updates.1427846400.bz2": (0, 8160, 451),
    "jinx.updates.20140501.0000.bz2": (0, 1446, 261),
    # bgpdump says (0, 24, 0) and (0, 32, 0): it takes the path identifiers, which the OPENs in the
    # file agree on, for prefixes such as 0.0.0.0/0.
    "mrtparse.bird_bgp": (0, 14, 0),
    "mrtparse.bird6_bgp": (0, 14, 0),
    "mrtparse.bird-mrtdump_bgp": (0, 12, 0),
    "mrtparse.bird-mrtdump_rib": (18, 0, 0),
    "mrtparse.bird6-mrtdump_bgp": (0, 12, 0),
    "mrtparse.bird6-mrtdump_rib": (10, 0, 0),
    # bgpdump says (0, 93, 0) and (0, 18, 0): it reads no VPN routes, of which there are 6 and 16.
    "mrtparse.openbgpd_bgp": (0, 99, 0),
    "mrtparse.quagga_bgp": (0, 34, 0),
    "mrtparse.openbgpd_rib_table": (31, 0, 0),
    # bgpdump says (31, 0, 0): it reads no VPN routes (RFC 4364), of which there are two.
    "mrtparse.openbgpd_rib_table-v2": (33, 0, 0),
    # BGP4MP_ENTRY: bgpdump prints nothing of it. `-v2` is the same table.
    "mrtparse.openbgpd_rib_table-mp": (31, 0, 0),
    "mrtparse.quagga_rib": (9, 0, 0),
    "quagga.updates.20240914.et.bz2": (0, 159, 109),
    "route-views6.rib6.20151101.0600.truncated.bz2": (149578, 0, 0),
    "rrc00.updates.20060909.gz": (0, 2116, 362),
    "rrc00.updates.20170103.0630": (0, 24628, 2302),
    "rrc00.updates.20190101.0000.gz": (0, 159948, 2626),
    "rrc06.updates.1427846400.gz": (0, 1435, 122),
    "rrc15.updates.20100227.1600.gz": (0, 52468, 1318),
    "rrc15.updates.20100227.1610.gz": (0, 5920, 1549),
    "ryu.rib.20161101.0000.pick.bz2": (4, 0, 0),
    "ryu.updates.20161101.0000.bz2": (0, 5379, 383),
    "sg.updates.1499384700.gz": (0, 45571, 1621),
    "sg.updates.1499385600.gz": (0, 42000, 1999),
}


class Replay:
    """One run of `lapwing replay`: `out` octets, `events`, `summary` text."""

    def __init__(self, binary, config, files, may_warn=False):
        done = subprocess.run([binary, "replay", "-c", str(config), *map(str, files)],
                              capture_output=True, timeout=120, check=False)
        self.out = done.stdout
        self.summary = done.stderr.decode(errors="replace")
        if done.returncode != 0 and not may_warn:
            raise LabError(f"replay of {files} ended with {done.returncode}: {self.summary}")
        self.events = [json.loads(line) for line in self.out.splitlines()]

    def count(self, name):
        """The number that the summary gives for this name."""
        found = re.search(rf"(?<![\w-]){name}=(\d+)", self.summary)
        if not found:
            raise LabError(f"the summary does not name {name}:\n{self.summary}")
        return int(found[1])


def shared(name=""):
    folder = os.environ.get("LAPWING_SHARED_DATA", "")
    if not folder or not os.path.isdir(folder):
        raise Skip("LAPWING_SHARED_DATA is absent")
    return Path(folder, "mrt", name)


def story(scratch, args, config):
    mrt = Path(scratch.file("star_jv_2017.mrt"))
    facts.write_mrt(mrt)
    replay = Replay(args.binary, config, [mrt])
    problems = facts.judge(replay.events)
    # In true time the published times and the published duration must come out to the second.
    told = {(e["type"], e["time"][:19]) for e in replay.events if e.get("upstream_as") == facts.NEW}
    for step in facts.STEPS:
        due = step.expect or (("upstream-share",) if step.share else ())
        for kind in due:
            if (kind, f"{step.time:%Y-%m-%dT%H:%M:%S}") not in told:
                problems.append(f"no {kind} at {step.time}")
    lasted = [e["duration_seconds"] for e in replay.events
              if e["type"] == "upstream-gone" and e["upstream_as"] == facts.NEW]
    if lasted != [4014]:
        problems.append(f"AS{facts.NEW} was there for 1 h 06 min 54 s (4014 s); said: {lasted}")
    problems += compare(GOLDEN, replay, args.accept)
    if problems:
        raise LabError("\n".join(problems))
    print(f"{len(replay.events)} events, as the facts demand")


def compare(golden, replay, accept):
    """The difference to the golden file as a list of problems; with `accept` it is written anew."""
    if accept:
        golden.write_bytes(replay.out)
        print(f"wrote {golden}: {len(replay.events)} events")
    known = golden.read_bytes() if golden.exists() else b""
    if known == replay.out:
        return []
    diff = difflib.unified_diff(known.decode().splitlines(), replay.out.decode().splitlines(),
                                golden.name, "this run", lineterm="", n=0)
    return ["other events than in the golden file (run.py --accept, after reading):\n"
            + "\n".join(line[:400] for line in diff)]


def scenarios(scratch, args, _config):
    problems = []
    for path in sorted((HERE / "scenarios").glob("*.scenario")):
        try:
            scenario = Scenario(path)
            mrt = Path(scratch.file(f"{path.stem}.mrt"))
            scenario.write_mrt(mrt)
        except ScenarioError as error:
            raise LabError(str(error)) from error
        config = scratch.write(f"{path.stem}.toml", scenario.config())
        replay = Replay(args.binary, config, [mrt])
        found = scenario.judge(replay.events)
        found += compare(path.with_suffix(".jsonl"), replay, args.accept)
        problems += [f"{path.name}: {problem}" for problem in found]
        print(f"{path.stem}: {len(replay.events)} events")
    if problems:
        raise LabError("\n".join(problems))


def twice(scratch, args, config):
    files = [Path(scratch.file("story.mrt"))]
    facts.write_mrt(files[0])
    packed = Path(scratch.file("packed.mrt.gz"))
    packed.write_bytes(gzip.compress(files[0].read_bytes()))
    inputs = {"story": ([files[0]], [packed])}
    try:
        inputs["rrc00"] = ([shared("rrc00.updates.20190101.0000.gz")],) * 2
        inputs["sg"] = ([shared(f"sg.updates.{t}.gz") for t in (1499384700, 1499385600)],) * 2
    except Skip as why:
        print(f"skipped: public files: {why}")
    for name, (first, second) in inputs.items():
        one, two = Replay(args.binary, config, first), Replay(args.binary, config, second)
        if one.out != two.out:
            raise LabError(f"{name}: two replays differ")
        ids = [e["id"] for e in one.events]
        if len(ids) != len(set(ids)):
            raise LabError(f"{name}: an id was given to two events")
        print(f"{name}: {len(ids)} events, twice the same octets")


def counts(scratch, args, config):
    folder = shared()
    wrong = []
    for name, (routes, announced, withdrawn) in BGPDUMP.items():
        if not (folder / name).exists():
            continue
        replay = Replay(args.binary, config, [folder / name], may_warn=True)
        got = (replay.count("table_entries"), replay.count("announcements"),
               replay.count("withdrawals"))
        if got != (routes, announced, withdrawn):
            wrong.append(f"{name}: got {got}, bgpdump says {(routes, announced, withdrawn)}")
        if "add_path" in name and replay.count("prefixes") != replay.count("table_prefixes"):
            wrong.append(f"{name}: prefixes: {replay.summary}")
    if wrong:
        raise LabError("\n".join(wrong))
    print(f"{len(BGPDUMP)} files: as bgpdump counts them")


def jinx(scratch, args, config):
    rib, updates = shared("jinx.rib.20140501.0000.bz2"), shared("jinx.updates.20140501.0000.bz2")
    table = Replay(args.binary, config, [rib])
    if table.count("table_prefixes") != 493868:
        raise LabError(f"prefixes of the table: {table.summary}")
    if table.events:
        raise LabError(f"the first table raised {len(table.events)} events: {table.events[0]}")
    both = Replay(args.binary, config, [rib, updates])
    same = judged("jinx", both.events, [rib, updates])
    print(f"no event from the table; {len(both.events)} from the updates, {same} new upstreams")


def judged(name, events, files):
    """How many new upstreams there are; LabError unless they are those of `bgpdump -m`."""
    extra, missing, same = judge.compare(events, files)
    if extra or missing or not same:
        raise LabError(f"{name}: new upstreams that bgpdump does not show: {sorted(extra)[:5]}, "
                       f"missing: {sorted(missing)[:5]}, right: {len(same)}")
    return len(same)


def streams(scratch, args, config):
    outage = Path(scratch.file("as13335.mrt"))
    source = shared().parent / "events" / "as13335-outage-20220621.jsonl"
    counted = as13335.write_mrt(source, outage)
    if counted != (4306, 9394, 1332):
        raise LabError(f"routes, announcements and withdrawals of the outage: {counted}")
    for name, files in (("sg", [shared(f"sg.updates.{t}.gz") for t in (1499384700, 1499385600)]),
                        ("rrc00", [shared("rrc00.updates.20190101.0000.gz")]),
                        ("as13335", [outage])):
        replay = Replay(args.binary, config, files)
        same = judged(name, replay.events, files)
        types = Counter(e["type"] for e in replay.events)
        print(f"{name}: {same} new upstreams as bgpdump shows them; "
              + ", ".join(f"{count} {kind}" for kind, count in sorted(types.items())))


def options(scratch, args, config):
    mrt = Path(scratch.file("story.mrt"))
    facts.write_mrt(mrt)
    whole = Replay(args.binary, config, [mrt])
    times = sorted(e["time"] for e in whole.events)
    begin, end = times[len(times) // 3], times[2 * len(times) // 3]
    wanted = [e for e in whole.events if e["time"] >= begin]
    got = Replay(args.binary, config, ["--from", begin, mrt])
    if got.events != wanted or got.count("before_start") != len(whole.events) - len(wanted):
        raise LabError(f"--from {begin}: {len(got.events)} events, not {len(wanted)}")
    # What a timer would report later is told at the end: only what was told before is compared.
    early = [e for e in whole.events if e["time"] < end]
    got = Replay(args.binary, config, ["--to", end, mrt])
    if got.events[:len(early)] != early or got.count("after_end") == 0:
        raise LabError(f"--to {end}: other events than before")
    piped = subprocess.run([args.binary, "replay", "-c", config, "-"], input=gzip.compress(
        mrt.read_bytes()), capture_output=True, timeout=120, check=True)
    if piped.stdout != whole.out:
        raise LabError("standard input gives other events than the file")
    bare = scratch.write("bare.toml", "")
    watched = Replay(args.binary, bare, ["--watch", f"AS{facts.ORIGIN}", mrt])
    if watched.out != whole.out:
        raise LabError("--watch gives other events than [watch]")
    if b'"type":"path-change"' not in whole.out or b"path-change" in Replay(
            args.binary, bare, [mrt]).out:
        raise LabError("the story's path changes come from what is watched")
    halves = [Path(scratch.file(f"half{n}.mrt")) for n in (0, 1)]
    split(mrt, halves)
    if Replay(args.binary, config, ["--merge", halves[1], halves[0]]).out != whole.out:
        raise LabError("the neighbours' files merged give other events than the one file")
    print(f"{len(whole.events)} events, the same by every way")


def split(path, halves):
    """Every second record after the table goes into the second file, in which times are in order too."""
    data, at, number = path.read_bytes(), 0, 0
    out = [bytearray(), bytearray()]
    seen = set()
    while at < len(data):
        seconds, kind, _, length = struct.unpack_from("!IHHI", data, at)
        micros = struct.unpack_from("!I", data, at + 12)[0] if kind == 17 else 0
        # Records of one time stay in one file: between files of one time the first one named wins.
        if kind == 17 and (seconds, micros) not in seen:
            number += 1
            seen = {(seconds, micros)}
        out[number % 2 if kind == 17 else 0] += data[at:at + 12 + length]
        at += 12 + length
    for half, octets in zip(halves, out):
        half.write_bytes(octets)


CASES = {"story": story, "scenarios": scenarios, "twice": twice, "counts": counts, "jinx": jinx,
         "streams": streams, "options": options}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=os.path.abspath)
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    args = parser.parse_args()
    failed = ran = 0
    with Scratch() as scratch:
        config = scratch.write("replay.toml", CONFIG)
        for name in args.cases or CASES:
            try:
                CASES[name](scratch, args, config)
                ran += 1
            except Skip as why:
                print(f"skipped: {name}: {why}")
            except LabError as error:
                print(f"FAILED: {name}: {error}")
                failed = 1
    return failed or (0 if ran else 77)


if __name__ == "__main__":
    sys.exit(main())
