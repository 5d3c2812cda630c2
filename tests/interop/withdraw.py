#!/usr/bin/env python3
"""A changed upstream and a withdrawal raise their events with evidence, and nothing else does."""

from case import NEW, OLD, ORIGIN, STAR, Net, check, check_equal, run, table, wait_for


def withdraw(scratch, binary):
    net = Net(scratch, binary, watch_origins=[ORIGIN])
    first = net.add_bird("first", 64501, table())
    second = net.add_bird("second", 64502, table(50, 10), active=False)
    net.start()

    def events(kind, upstream=None):
        return [e for e in net.lapwing.detection_events()
                if e["type"] == kind and upstream in (None, e.get("upstream_as"))]

    # Background churn: another path, the same upstream.
    noise = dict(second.routes)
    for n in range(20):
        noise[f"198.18.{n}.0/24"] = (1103, 3356, 65000 + n % 7, 4200000000 + n)
    second.set_routes(noise)
    net.settle()
    check_equal(net.lapwing.detection_events(), [], "events of a transit change elsewhere")

    one = {**first.routes, STAR[0]: (1103, NEW, ORIGIN)}
    first.set_routes(one)
    wait_for(lambda: events("new-upstream"), 5, "new-upstream at the first UPDATE",
             net.lapwing.process.log)
    event = events("new-upstream")[0]
    check_equal((event["origin_as"], event["upstream_as"], event["prefixes"], event["peers"],
                 event["action"], event["cause"]),
                (ORIGIN, NEW, [STAR[0]], ["first"], "raise", "live"), "new-upstream")
    check_equal((event["prefix_count"], event["origin_prefix_count"]), (1, 4), "share")
    proof = event["evidence"][0]
    check_equal((proof["peer"], proof["peer_as"], proof["prefix"], proof["old_path"],
                 proof["new_path"]),
                ("first", 64501, STAR[0], f"64501 1103 {OLD} {ORIGIN}",
                 f"64501 1103 {NEW} {ORIGIN}"), "evidence")
    check(OLD in [k["as"] for k in event["known_upstreams"]], f"known upstreams: {event}")
    wait_for(lambda: events("path-change"), 10, "path-change of the watched origin")
    change = events("path-change")[0]
    check_equal((change["class"], change["as_left"], change["as_came"], change["prefixes"],
                 change["explained_by"]),
                ("upstream", OLD, NEW, [STAR[0]], event["incident"]), "path-change")

    gone = dict(first.routes)
    del gone[STAR[0]]
    first.set_routes(gone)
    wait_for(lambda: events("upstream-gone", NEW), 10, "upstream-gone after the withdrawal")
    check_equal(len(events("new-upstream")), 1, "number of new-upstream events")
    strangers = [e["summary"] for e in net.lapwing.detection_events() if e["origin_as"] != ORIGIN]
    check_equal(strangers, [], "events about other origins")


run(withdraw, __doc__)
