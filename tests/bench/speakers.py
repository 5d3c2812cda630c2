#!/usr/bin/env python3
"""Lapwing beside other BGP speakers in one run: load, churn, withdrawal of all, restart.

speakers.py --build .build/bench [--runs 3] [--neighbors 1] [--ipv4 1000000] [--ipv6 200000]
            [--churn 1000000] [--only lapwing,bird] [--restart]

The feeder (feeder.cc) announces to one program after the other, on loopback only. `held` is the time
from the first octet until the program says that it holds exactly the routes it must hold; `durable`,
for Lapwing, until none of its changes waits for the disk besides. CPU is what the program used
meanwhile, memory its peak so far. Medians of the runs; in brackets the ratio to BIRD. The programs take
turns, so that a busy machine is busy for all of them. Import all, export nothing. Lapwing runs with its
default settings: all detectors, the store, the API. --restart: Lapwing is started again after the load,
and the time until it is ready is measured.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lab"))

from lapwing import Lapwing, Neighbor  # noqa: E402
from process import LabError, Scratch, find_program, free_port  # noqa: E402

PHASES = ("load", "churn", "withdraw")
FIRST_AS, COLLECTOR_AS = 64601, 64512
PATIENCE = 900  # seconds for one phase


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """(resident, peak) in MB."""
    with open(f"/proc/{pid}/status") as status:
        text = status.read()
    return tuple(int(re.search(rf"{name}:\s+(\d+)", text)[1]) * 1024e-6 for name in ("VmRSS", "VmHWM"))


class LapwingUnderTest:
    name = "lapwing"
    durable = True

    def __init__(self, scratch, args, port):
        neighbors = [Neighbor(f"feed{i}", f"127.1.0.{i + 1}", FIRST_AS + i, passive=True,
                              local_address="127.0.0.1", extra={"hold-time": 240})
                     for i in range(args.neighbors)]
        binary = os.path.abspath(os.path.join(args.build, "collector", "lapwing"))
        self._lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=neighbors,
                                listen=[f"127.0.0.1:{port}"])
        self._lapwing.start()

    @property
    def pid(self):
        return self._lapwing.process.pid

    def state(self):
        """(routes held, changes that are not durable yet)."""
        status = self._lapwing.status()
        return status["routes"], status["store_pending"]

    def restart(self):
        """Seconds from the start until it is ready with all routes."""
        self._lapwing.process.signal(signal.SIGTERM)
        self._lapwing.process.wait(60)
        began = time.monotonic()
        self._lapwing.process = self._lapwing._scratch.start(
            "lapwing", [self._lapwing.binary, "run", "-c", self._lapwing.config_path])
        while time.monotonic() - began < PATIENCE:
            self._lapwing.process.check_alive()
            try:
                if self._lapwing.get_raw("/readyz")[0] == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.005)
        raise LabError("lapwing does not become ready")

    def stop(self):
        self._lapwing.process.signal(signal.SIGTERM)
        self._lapwing.process.wait(60)


class BirdUnderTest:
    name = "bird"
    durable = False

    def __init__(self, scratch, args, port):
        self._socket = scratch.file("bird.ctl")
        protocols = "".join(f"""
protocol bgp feed{i} {{
  local 127.0.0.1 port {port} as {COLLECTOR_AS};
  neighbor 127.1.0.{i + 1} as {FIRST_AS + i};
  multihop; passive; strict bind; hold time 240;
  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}""" for i in range(args.neighbors))
        config = scratch.write("bird.conf", f"""
router id 192.0.2.100;
protocol device {{ }}
{protocols}
""")
        self._process = scratch.start("bird", [find_program("bird"), "-f", "-c", config, "-s",
                                               self._socket, "-P", scratch.file("bird.pid")])
        for _ in range(500):
            if os.path.exists(self._socket):
                break
            time.sleep(0.02)

    @property
    def pid(self):
        return self._process.pid

    def state(self):
        done = subprocess.run([find_program("birdc"), "-s", self._socket, "show", "protocols", "all"],
                              capture_output=True, text=True, timeout=PATIENCE)
        return sum(int(n) for n in re.findall(r"Routes:\s+(\d+) imported", done.stdout)), 0

    def stop(self):
        self._process.stop()


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
    cpu, began = cpu_seconds(program.pid), time.monotonic()
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
                resident, peak = memory(program.pid)
                result = {"held": held, "cpu": cpu_seconds(program.pid) - cpu, "resident": resident,
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
            results["restart"] = {"held": program.restart(), "cpu": cpu_seconds(program.pid)}
            results["restart"]["resident"], results["restart"]["peak"] = memory(program.pid)
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
    parser.add_argument("--only", default="bird,lapwing")
    parser.add_argument("--restart", action="store_true")
    args = parser.parse_args()
    kinds = [k for k in (BirdUnderTest, LapwingUnderTest) if k.name in args.only.split(",")]
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
