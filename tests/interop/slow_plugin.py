#!/usr/bin/env python3
"""A plugin that is far too slow: it is named, the session stays up, and every route arrives."""

import os
import time

from case import COLLECTOR_AS, Net, check, check_equal, run, table, wait_for

PAUSE = 0.003  # seconds for each change


def slow_plugin(scratch, binary):
    plugin = os.path.join(os.path.dirname(binary), "..", "tests", "plugins", "slow.so")
    check(os.path.exists(plugin), f"the plugin was built: {plugin}")
    extra = f'\n[detector.tortoise]\nplugin = "{plugin}"\nmicroseconds = {int(PAUSE * 1e6)}\n'
    net = Net(scratch, binary, extra=extra)
    routes = table(250, 6000)
    bird = net.add_bird("a", 64500, routes)
    bird.start()
    net.start_lapwing()
    lapwing = net.lapwing
    lapwing.wait_established()
    began = time.monotonic()

    def named():
        return [line for line in lapwing.process.log().splitlines() if "tortoise" in line]

    wait_for(lambda: any("% of the last" in line for line in named()), 45,
             "the slow detector is named in the log", lapwing.process.log)
    lapwing.wait_routes(len(routes), seconds=90)
    check(time.monotonic() - began > len(routes) * PAUSE * 0.8, "the plugin was slow, indeed")
    peer = lapwing.peers()["a"]
    check_equal((peer["state"], peer["established"]), ("Established", 1), "the session meanwhile")
    net.check_tables()
    rows = {row["name"]: row for row in lapwing.get("detectors")[1]["detectors"]}
    busiest = max(rows, key=lambda name: rows[name]["microseconds"])
    check_equal(busiest, "tortoise", "the detector that took most time")
    lapwing.stop()


run(slow_plugin, __doc__)
