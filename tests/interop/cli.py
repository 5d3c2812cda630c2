#!/usr/bin/env python3
"""`lapwing show` speaks to the daemon; exit codes are 0, 1, 2 and 3 as promised."""

import json
import subprocess

from case import ORIGIN, OLD, Net, check, check_equal, free_port, run, table


def cli(scratch, binary):
    net = Net(scratch, binary)
    router = net.add_bird("router", 64501, table())
    net.start()

    def call(*words, api=net.lapwing.api_url):
        return subprocess.run([binary, *words, "--api", api], capture_output=True, text=True,
                              timeout=10)

    for words, must_say in ((("show", "status"), str(len(router.routes))),
                            (("show", "peers"), "Established"),
                            (("show", "peer", "router"), "64501"),
                            (("show", "route", "175.45.176.0/24"), f"64501 1103 {OLD} {ORIGIN}"),
                            (("show", "route", "for", "175.45.176.9"), "175.45.176.0/24"),
                            (("show", "upstreams", str(ORIGIN)), str(OLD)),
                            (("show", "events"), "")):
        done = call(*words)
        check(done.returncode == 0 and must_say in done.stdout, f"{words}: {done}")
        done = call(*words, "-j")
        check_equal(done.returncode, 0, f"{words} -j: {done}")
        try:
            json.loads(done.stdout)
        except ValueError:
            check(False, f"{words} -j prints no JSON: {done.stdout}")

    check_equal(call("show", "route", "192.0.2.0/24").returncode, 1, "a route that is not there")
    check_equal(call("show", "peer", "nobody").returncode, 1, "a neighbour that is not there")
    check_equal(call("show", "nonsense").returncode, 2, "wrong usage")
    nobody = f"http://127.0.0.1:{free_port()}"
    check_equal(call("show", "status", api=nobody).returncode, 3, "no daemon")


run(cli, __doc__)
