#!/usr/bin/env python3
"""Lapwing beside other BGP speakers in one run: load, churn, withdrawal of all, restart.

speakers.py --build .build/bench [--runs 3] [--neighbors 1] [--ipv4 1000000] [--ipv6 200000]
            [--churn 1000000] [--only lapwing,bird | all] [--restart [--settle 0]]

The feeder (feeder.cc) announces to one program after the other, on loopback only. `held` is the time
from the first octet until the program says that it holds exactly the routes it must hold; `durable`,
for Lapwing, until none of its changes waits for the disk besides. CPU is what the program used
meanwhile, memory its peak so far. Medians of the runs; in brackets the ratio to BIRD. The programs take
turns, so that a busy machine is busy for all of them. Import all, export nothing. Lapwing runs with its
default settings: all detectors, the store, the API. --restart: Lapwing is started again after the load,
or --settle seconds later, and the time until it is ready is measured.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))

from process import LabError, Scratch, free_port  # noqa: E402
from programs import PATIENCE, PROGRAMS  # noqa: E402

PHASES = ("load", "churn", "withdraw")


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pids):
    """(resident, peak) in MB."""
    sums = [0, 0]
    for pid in pids:
        with open(f"/proc/{pid}/status") as status:
            text = status.read()
        for i, name in enumerate(("VmRSS", "VmHWM")):
            sums[i] += int(re.search(rf"{name}:\s+(\d+)", text)[1]) * 1024e-6
    return sums


class Feeder:
    def __init__(self, args, port):
        self._process = subprocess.Popen(
            [os.path.join(args.build, "tests", "bench", "bench_feeder"), "--port", str(port),
             "--neighbors", str(args.neighbors), "--ipv4", str(args.ipv4), "--ipv6", str(args.ipv6),
             "--churn", str(args.churn), "--seed", str(args.seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self._process.stdout.readline().startswith("up"):
            raise LabError("the feeder's sessions do not come up")
        os.set_blocking(self._process.stdout.fileno(), False)

    def begin(self, phase):
        self._process.stdin.write(phase + "\n")
        self._process.stdin.flush()

    def sent(self):
        """None while it sends; the number of routes to hold once it has sent all."""
        line = self._process.stdout.readline()
        if self._process.poll() is not None:
            raise LabError("the feeder ended")
        return int(line.split()[3]) if line.startswith("sent") else None

    def stop(self):
        self._process.kill()
        self._process.wait()


def measure(phase, feeder, program):
    cpu, began = cpu_seconds(program.pids), time.monotonic()
    feeder.begin(phase)
    wanted = held = None
    while time.monotonic() - began < PATIENCE:
        if wanted is None:
            wanted = feeder.sent()
        if wanted is not None:
            routes, pending = program.state()
            now = time.monotonic() - began
            if held is None and routes == wanted:
                held = now
            if held is not None and pending == 0:
                resident, peak = memory(program.pids)
                result = {"held": held, "cpu": cpu_seconds(program.pids) - cpu, "resident": resident,
                          "peak": peak}
                if program.durable:
                    result["durable"] = now
                return result
        time.sleep(0.02)
    raise LabError(f"{program.name}, {phase}: {program.state()} instead of {wanted} routes")


def one_run(kind, args):
    with Scratch() as scratch:
        port = free_port()
        program = kind(scratch, args, port)
        results = {}
        feeder = Feeder(args, port)
        try:
            for phase in PHASES[:1] if args.restart else PHASES:
                results[phase] = measure(phase, feeder, program)
                time.sleep(1)
        finally:
            feeder.stop()
        if args.restart and hasattr(program, "restart"):
            time.sleep(args.settle)
            results["restart"] = {"held": program.restart(), "cpu": cpu_seconds(program.pids)}
            results["restart"]["resident"], results["restart"]["peak"] = memory(program.pids)
        program.stop()
        return results


def table(all_results):
    """Medians, and ratios to BIRD."""
    base = {}
    print(f"{'phase':9}{'program':10}{'held s':>16}{'durable s':>12}{'CPU s':>16}"
          f"{'resident MB':>14}{'peak MB':>16}")
    for phase in PHASES + ("restart",):
        for name in sorted(all_results):
            runs = [r[phase] for r in all_results[name] if phase in r]
            if not runs:
                continue
            median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            if name == "bird":
                base[phase] = median

            def cell(key, digits, width):
                text = f"{median[key]:.{digits}f}" if key in median else "-"
                if key in median and phase in base and name != "bird" and base[phase].get(key):
                    text += f" ({median[key] / base[phase][key]:.2f})"
                return f"{text:>{width}}"
            print(f"{phase:9}{name:10}{cell('held', 2, 16)}{cell('durable', 2, 12)}"
                  f"{cell('cpu', 2, 16)}{cell('resident', 0, 14)}{cell('peak', 0, 16)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="directory of preset `bench`")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--neighbors", type=int, default=1)
    parser.add_argument("--ipv4", type=int, default=1000000)
    parser.add_argument("--ipv6", type=int, default=200000)
    parser.add_argument("--churn", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="bird,lapwing",
                        help="of bird, lapwing, frr, openbgpd, gobgp; or all")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--settle", type=float, default=0, help="seconds before the restart")
    args = parser.parse_args()
    kinds = []
    for kind in PROGRAMS:
        if args.only != "all" and kind.name not in args.only.split(","):
            continue
        if shutil.which(getattr(kind, "program", "sh")):
            kinds.append(kind)
        else:
            print(f"{kind.name} is left out: {kind.program} is not installed", file=sys.stderr)
    results = {kind.name: [] for kind in kinds}
    for number in range(args.runs):
        for kind in kinds:
            results[kind.name].append(one_run(kind, args))
            print(f"run {number + 1}, {kind.name}: {json.dumps(results[kind.name][-1])}",
                  file=sys.stderr, flush=True)
    table(results)


try:
    main()
except LabError as error:
    sys.exit(f"FAILED: {error}")
