#!/usr/bin/env python3
"""kill -9 and restart: routes are back, nothing is raised; a change made meanwhile is, honestly."""

from datetime import datetime, timezone

from case import (NEW, ORIGIN, STAR, Net, check, check_equal, parse_time, run, table, wait_for)


def restart(scratch, binary):
    net = Net(scratch, binary, watch_origins=[ORIGIN])
    router = net.add_bird("router", 64501, table(), active=False)
    net.start()
    lapwing, count = net.lapwing, len(router.routes)

    # BIRD is kept from connecting, so that the routes on disk are seen before they are announced.
    lapwing.kill9()
    router.birdc("disable lapwing")
    lapwing.start()
    lapwing.wait_routes(count, stale=count)
    stored = {p: v for (_, p), v in lapwing.routes(peer="router").items()}
    check_equal(stored, {p: (router.path_of(p), True) for p in router.routes}, "stored table")
    router.birdc("enable lapwing")
    net.settle()
    net.check_tables()
    check_equal([e["summary"] for e in lapwing.detection_events()], [], "events of the restart")

    before_death = datetime.now(timezone.utc)
    lapwing.kill9()
    router.birdc("disable lapwing")
    changed = {**router.routes, STAR[0]: (1103, NEW, ORIGIN)}
    del changed["198.18.7.0/24"]
    router.set_routes(changed)
    lapwing.start()
    router.birdc("enable lapwing")
    net.settle()
    net.check_tables()
    wait_for(lambda: [e for e in lapwing.detection_events() if e["type"] == "new-upstream"], 5,
             "new-upstream found by resynchronisation")
    new = [e for e in lapwing.detection_events() if e["type"] == "new-upstream"]
    check_equal([(e["origin_as"], e["upstream_as"], e["cause"]) for e in new],
                [(ORIGIN, NEW, "resync")], "what the gap hid")
    between = new[0]["changed_between"]
    check(between, f"changed_between is missing: {new[0]}")
    last_known, found = map(parse_time, between)
    check(last_known <= found == parse_time(new[0]["time"]), f"changed_between {between}")
    check(abs((last_known - before_death).total_seconds()) < 10,
          f"last known {last_known}, but Lapwing heard the neighbour until {before_death}")

    # And the event is not raised again by a further crash.
    lapwing.kill9()
    lapwing.start()
    net.settle()
    new = [e for e in lapwing.detection_events() if e["type"] == "new-upstream"]
    check_equal(len({e["id"] for e in new}), 1, "new-upstream events by id after a crash")


run(restart, __doc__)
