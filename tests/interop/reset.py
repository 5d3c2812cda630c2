#!/usr/bin/env python3
"""A session reset, or a repetition, with the same table raises no event, however it came about."""

from case import OLD, ORIGIN, Net, check_equal, run, table, wait_for


def reset(scratch, binary):
    net = Net(scratch, binary, watch_origins=[ORIGIN])
    router = net.add_bird("router", 64501, table())
    net.add_bird("other", 64502, table(50, 10), active=False)
    net.start()

    def times():
        return net.lapwing.peers()["router"]["established"]

    def again(what, before):
        wait_for(lambda: times() > before, 15, f"a new session after {what}")
        net.settle()
        net.check_tables()
        check_equal([e["summary"] for e in net.lapwing.detection_events()], [],
                    f"events after {what}")

    check_equal(router.routes["175.45.176.0/24"], (1103, OLD, ORIGIN), "the table under test")
    before = times()
    router.birdc("restart lapwing")
    again("a reset by BIRD (Cease)", before)

    before = times()
    router.process.kill()
    wait_for(lambda: net.lapwing.peers()["router"]["stale"] == len(router.routes), 10,
             "routes of a lost session are kept, as stale")
    router.start()
    again("the death of BIRD", before)

    updates = net.lapwing.peers()["router"]["updates_received"]
    router.birdc("reload out lapwing")
    wait_for(lambda: net.lapwing.peers()["router"]["updates_received"] > updates, 10,
             "the table is announced once more")
    again("a repetition of the table within a session", times() - 1)


run(reset, __doc__)
