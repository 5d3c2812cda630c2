#!/usr/bin/env python3
"""A wrong configuration is refused with file:line:column and exit code 1, by check and run."""

import re
import subprocess

from case import check, check_equal, run

GOOD = """\
[speaker]
local-as  = 64512
router-id = "192.0.2.10"
listen    = ["127.0.0.1:17999"]

[[neighbor]]
name    = "edge1"
address = "192.0.2.1"
peer-as = 64501

[storage]
path = "{dir}/db"

[http]
listen = ["127.0.0.1:17998"]
"""

# (what, old text, new text, line and column of the fault; None: anywhere)
WRONG = (
    ("unknown key", "peer-as = 64501", "peer-as = 64501\nholdtime = 90", (10, 1)),
    ("unknown table", "[http]", "[htpp]", (14, None)),
    ("wrong type", "local-as  = 64512", 'local-as  = "x"', (2, None)),
    ("AS out of range", "peer-as = 64501", "peer-as = 4294967296", (9, None)),
    ("AS 0", "peer-as = 64501", "peer-as = 0", (9, None)),
    ("no address", '"192.0.2.1"', '"192.0.2.256"', (8, None)),
    ("hold time of 2", "peer-as = 64501", "peer-as = 64501\nhold-time = 2", (10, None)),
    ("TOML syntax", "router-id = ", "router-id = = ", (3, None)),
    ("name used twice", "[storage]",
     '[[neighbor]]\nname = "edge1"\naddress = "192.0.2.2"\npeer-as = 64502\n[storage]', (12, None)),
    ("address used twice", "[storage]",
     '[[neighbor]]\nname = "edge2"\naddress = "192.0.2.1"\npeer-as = 64502\n[storage]', (13, None)),
    ("unknown detector", "[storage]", "[detector.new-upsteam]\n[storage]", (11, None)),
    ("unknown key of a sink", "[storage]",
     '[[sink.syslog]]\ntarget = "udp://127.0.0.1:514"\nfacilty = "local7"\n[storage]', (13, None)),
    ("unknown facility", "[storage]",
     '[[sink.syslog]]\ntarget = "udp://127.0.0.1:514"\nfacility = "local8"\n[storage]', (13, None)),
    ("no neighbour's name", 'name    = "edge1"\n', "", (6, None)),
    ("no local-as", "local-as  = 64512\n", "", (1, None)),
)


def config(scratch, binary):
    good = GOOD.format(dir=scratch.path)
    path = scratch.write("good.toml", good)
    done = subprocess.run([binary, "check", "-c", path], capture_output=True, text=True, timeout=10)
    check_equal(done.returncode, 0, f"check of a good configuration: {done.stderr}")

    for number, (what, old, new, place) in enumerate(WRONG):
        check(old in good, f"{what}: the case does not fit the configuration")
        path = scratch.write(f"wrong{number}.toml", good.replace(old, new, 1))
        for command in ("check", "run"):
            done = subprocess.run([binary, command, "-c", path], capture_output=True, text=True,
                                  timeout=10)
            output = done.stdout + done.stderr
            check_equal(done.returncode, 1, f"{what}: exit code of {command}: {output}")
            found = [(int(line), int(column)) for line, column in
                     re.findall(re.escape(path) + r":(\d+):(\d+): ", output)]
            line, column = place
            check(any(line == at[0] and column in (None, at[1]) for at in found),
                  f"{what}: {command} must point to line {line}: {output}")

    missing = scratch.file("missing.toml")
    done = subprocess.run([binary, "check", "-c", missing], capture_output=True, text=True,
                          timeout=10)
    check(done.returncode == 1 and missing in done.stderr, f"a missing file: {done}")
    done = subprocess.run([binary, "no-such-command"], capture_output=True, text=True, timeout=10)
    check_equal(done.returncode, 2, f"exit code of a wrong command line: {done.stderr}")


run(config, __doc__)
