#!/usr/bin/env python3
"""`lapwing dump` writes the stored tables as TABLE_DUMP_V2: equal to what BIRD announces, by bgpdump.

Beside the running daemon and after its end; with ADD-PATH; and read back by `lapwing replay`, in which
a first table raises nothing.
"""

import subprocess
import time
from collections import Counter
from datetime import datetime, timezone

from case import Net, check, check_equal, run, table
from bird import NEXT_HOP, family_of
from mrtfiles import bgpdump, replay, summary_number


def dump(binary, config, path, *options):
    done = subprocess.run([binary, "dump", "-c", config, "-o", path, *options],
                          capture_output=True, text=True, timeout=60)
    check_equal(done.returncode, 0, f"dump: {done.stderr}")
    prefixes = {row[5] for row in bgpdump(path)}
    check_equal(summary_number(done.stderr, "prefixes"), len(prefixes), "prefixes in the dump")
    return path


def rows_of(path):
    """{(peer AS, prefix, AS path, origin, next hop): count} of a dump, as bgpdump prints it."""
    found = Counter()
    for row in bgpdump(path):
        # TABLE_DUMP2|time|B|peer|AS|prefix|path|origin|next hop|…; an ADD-PATH row has the path
        # identifier after the prefix.
        if row[0] == "TABLE_DUMP2_AP":
            check(row.pop(6).isdigit(), f"a path identifier: {row}")
        found[int(row[4]), row[5], row[6], row[7], row[8]] += 1
    return found


def case(scratch, binary):
    net = Net(scratch, binary)
    net.add_bird("router", 64501, table())
    net.add_bird("six", 64502, table(20, 80), active=False)
    net.add_bird("paths", 64503, table(30, 30), channel="add paths tx;")
    net.neighbors[-1].extra["add-path"] = "true"
    net.start()
    wanted = Counter()
    for bird in net.birds:
        for prefix in bird.exported_routes():
            wanted[bird.local_as, prefix, bird.path_of(prefix), "IGP",
                   NEXT_HOP[family_of(prefix)]] += 1
    config = net.lapwing.config_path
    running = dump(binary, config, scratch.file("running.mrt"))
    check_equal(dict(rows_of(running)), dict(wanted), "the table of the running daemon")

    one = rows_of(dump(binary, config, scratch.file("one.mrt"), "--peer", "paths"))
    check_equal(one, Counter({k: n for k, n in wanted.items() if k[0] == 64503}), "of one neighbour")
    unknown = subprocess.run([binary, "dump", "-c", config, "-o", scratch.file("none.mrt"), "--peer",
                              "nobody"], capture_output=True, text=True, timeout=60)
    check(unknown.returncode == 1 and "nobody" in unknown.stderr, f"an unknown neighbour: {unknown}")

    # As it was before the router changed half of its routes, lost some and gained some.
    settled = net.lapwing.status()
    then = datetime.now(timezone.utc).isoformat()
    time.sleep(2.5)  # until the store knows that the table still held then
    first = net.birds[0]
    routes = dict(first.routes)
    for n, prefix in enumerate(sorted(routes)):
        if n % 4 == 0:
            routes[prefix] = (3333, *routes[prefix])
        elif n % 4 == 1:
            del routes[prefix]
    routes["192.0.2.0/24"] = (3333,)
    first.set_routes(routes)
    net.settle()
    check(net.lapwing.status() != settled, "the table has changed")
    past = dump(binary, config, scratch.file("past.mrt"), "--at", then)
    check_equal(dict(rows_of(past)), dict(wanted), "the table as it was")
    future = subprocess.run([binary, "dump", "-c", config, "-o", scratch.file("none.mrt"), "--at",
                             "2199-01-01T00:00:00Z"], capture_output=True, text=True, timeout=60)
    check(future.returncode == 1 and "known up to" in future.stderr, f"a time to come: {future}")
    wanted = Counter({k: n for k, n in wanted.items() if k[0] != first.local_as})
    for prefix in first.exported_routes():
        wanted[first.local_as, prefix, first.path_of(prefix), "IGP", NEXT_HOP[family_of(prefix)]] += 1

    net.lapwing.stop()
    stopped = dump(binary, config, scratch.file("stopped.mrt"))
    check_equal(dict(rows_of(stopped)), dict(wanted), "the table of the stopped store")
    again = dump(binary, config, scratch.file("again.mrt"))
    with open(stopped, "rb") as first, open(again, "rb") as second:
        check(first.read() == second.read(), "two dumps of one store are equal")

    lines, summary = replay(binary, config, [stopped])
    check_equal(lines, [], "events of the replay of a first table")
    check_equal(summary_number(summary, "routes"), sum(wanted.values()), "routes in the replay")
    check_equal(summary_number(summary, "peers"), 3, "neighbours in the replay")
    empty = scratch.write("empty.toml", f'[storage]\npath = "{scratch.file("nothing")}"\n')
    done = subprocess.run([binary, "dump", "-c", empty, "-o", scratch.file("x.mrt")],
                          capture_output=True, text=True, timeout=60)
    check(done.returncode == 1 and "no database" in done.stderr, f"without a store: {done}")
    print(f"{sum(wanted.values())} routes of 3 neighbours, twice")


run(case, __doc__)
