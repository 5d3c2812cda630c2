"""MRT files as bgpdump reads them, and replays of them."""

import subprocess
from collections import Counter

from process import LabError, find_program


def bgpdump(path):
    """The lines of `bgpdump -m`, split into fields; LabError where it complains of a record."""
    done = subprocess.run([find_program("bgpdump"), "-m", path], capture_output=True, text=True,
                          timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "[info] logging" not in line]
    if done.returncode != 0 or complaints:
        raise LabError(f"bgpdump {path}: exit code {done.returncode}: {complaints[:5]}")
    return [line.split("|") for line in done.stdout.splitlines()]


def kinds(rows):
    """How many rows there are of each kind: A, W, STATE of messages, B of tables."""
    return Counter(row[2] for row in rows)


def replay(binary, config, files, *options):
    """(event lines, summary text) of `lapwing replay`."""
    done = subprocess.run([binary, "replay", "-c", config, *options, *files], capture_output=True,
                          text=True, timeout=60)
    if done.returncode != 0 or "warning" in done.stderr:
        raise LabError(f"replay of {files}: exit code {done.returncode}: {done.stderr}")
    return done.stdout.splitlines(), done.stderr


def summary_number(summary, name):
    for word in summary.split():
        if word.startswith(name + "="):
            return int(word[len(name) + 1:])
    raise LabError(f"the summary does not name {name}:\n{summary}")
