#!/usr/bin/env python3
"""How fast `lapwing replay` is beside `bgpdump -m FILE >/dev/null`, on uncompressed files, in one run.

replay.py --binary lapwing [--runs 5] [FILE...]

Prints, for each file, the median seconds of both, their ratio and the resident memory of the replay. All
built-in detectors run. Without files: the public ones of LAPWING_SHARED_DATA that docs/PERFORMANCE.md
names. It judges nothing: on a busy machine the figures are worth little.
"""

import argparse
import bz2
import gzip
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))

from process import Scratch, find_program  # noqa: E402

PUBLIC = ("jinx.rib.20140501.0000.bz2", "rrc00.updates.20190101.0000.gz",
          "sg.updates.1499384700.gz", "rrc00.updates.20170103.0630",
          "rrc15.updates.20100227.1600.gz", "bgpdump.bview.20020722.2337.gz")


def unpack(path, scratch):
    opened = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)
    plain = Path(scratch.file(path.name + ".plain"))
    # Piece by piece: what this program holds counts as resident memory of what it starts.
    with opened(path, "rb") as source, open(plain, "wb") as out:
        shutil.copyfileobj(source, out)
    return plain


def measure(command):
    """(seconds, user and system seconds, MiB resident at most)."""
    null = os.open(os.devnull, os.O_RDWR)
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    os.close(null)
    if status != 0:
        sys.exit(f"{command} ended with {status}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(path, binary, runs):
    """Both in turn, so that both see the same machine."""
    lapwing = [os.path.abspath(binary), "replay", str(path)]
    bgpdump = [find_program("bgpdump"), "-m", str(path)]
    pairs = [(measure(bgpdump), measure(lapwing)) for _ in range(runs)]
    theirs, ours = ([statistics.median(values) for values in zip(*side)] for side in zip(*pairs))
    print(f"{path.name.removesuffix('.plain'):34} {theirs[0]:8.3f} {ours[0]:8.3f} "
          f"{theirs[0] / ours[0]:6.1f} {theirs[1] / ours[1]:9.1f} {ours[2]:8.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("files", nargs="*", type=Path)
    args = parser.parse_args()
    folder = Path(os.environ.get("LAPWING_SHARED_DATA", "."), "mrt")
    files = args.files or [folder / name for name in PUBLIC if (folder / name).exists()]
    if not files:
        sys.exit("no files: name some, or set LAPWING_SHARED_DATA")
    print(f"{'file':34} {'bgpdump':>8} {'lapwing':>8} {'ratio':>6} {'CPU ratio':>9} {'MiB':>8}")
    with Scratch() as scratch:
        for path in files:
            compare(unpack(path, scratch), args.binary, args.runs)


if __name__ == "__main__":
    main()
