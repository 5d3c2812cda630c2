#!/usr/bin/env python3
"""IPv4 and IPv6 tables are complete and equal to what BIRD announces.

eBGP and iBGP, Lapwing connecting and BIRD connecting, over IPv4 and (where there is ::1) IPv6. With --full
100,000 routes of one BIRD instead.
"""

import sys

from case import (COLLECTOR_AS, Net, all_routes, check, check_equal, has_ipv6, large_table, run, table,
                  wait_for)


def tables(scratch, binary):
    net = Net(scratch, binary)
    net.add_bird("ebgp-active", 64501, table())
    net.add_bird("ebgp-passive", 64502, table(150, 70), active=False)
    net.add_bird("ibgp-active", COLLECTOR_AS, table(100, 100))
    # On iBGP a path may be short: the local AS's own routes, and those of a neighbour of it.
    net.add_bird("ibgp-passive", COLLECTOR_AS,
                 {"192.0.2.0/24": (), "198.51.100.0/24": (64510,), "2001:db8:aaaa::/48": ()},
                 active=False)
    if has_ipv6():
        net.add_bird("over-ipv6", 64503, table(60, 60))
    else:
        print("no ::1 here: the session over IPv6 is left out")
    net.start()
    net.check_tables()

    peers = net.lapwing.peers()
    for bird in net.birds:
        check_equal(peers[bird.name]["state"], "Established", f"state of {bird.name}")
        check_equal(peers[bird.name]["routes"], len(bird.routes), f"count of {bird.name}")
    check_equal(net.lapwing.status()["peers_up"], len(net.birds), "peers_up")

    # And they stay equal while they change.
    changed = net.birds[1]
    routes = dict(changed.routes)
    for n in range(50):
        del routes[f"198.18.{n}.0/24"]
        routes[f"198.18.{n + 50}.0/24"] = (1103, 3356, 65000, 4200000000 + n)
        routes[f"198.19.{n}.0/24"] = (1103, 65000 + n % 7, 4200000000 + n)
    changed.set_routes(routes)
    wait_for(lambda: net.lapwing.peers()[changed.name]["routes"] == len(routes), 10, "the change")
    wait_for(lambda: net.lapwing.status()["store_pending"] == 0, 10, "the change is stored")
    net.check_tables()

    exact = net.lapwing.routes(prefix="203.0.113.7/32")
    check_equal({name for name, _ in exact}, {b.name for b in net.birds if "203.0.113.7/32"
                                              in b.routes}, "who announces 203.0.113.7/32")
    longest = net.lapwing.routes(prefix="203.0.113.7", match="longest")
    check(longest and {p for _, p in longest} == {"203.0.113.7/32"}, f"longest match: {longest}")


def full(scratch, binary):
    net = Net(scratch, binary)
    bird = net.add_bird("full", 64501, large_table())
    bird.start()
    net.start_lapwing()
    net.lapwing.wait_routes(len(bird.routes), 120)
    announced = bird.exported_routes()
    check_equal(len(announced), len(bird.routes), "routes that BIRD announces")
    wanted = {prefix: f"{bird.local_as} {path}" for prefix, path in announced.items()}
    check_equal(all_routes(net.lapwing, "full"), wanted, "table of 100,000 routes")


run(full if "--full" in sys.argv else tables, __doc__)
