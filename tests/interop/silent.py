#!/usr/bin/env python3
"""Lapwing announces nothing, ever: seen octet by octet, and as BIRD counts it."""

from case import COLLECTOR_AS, Net, Neighbor, check, check_equal, run, table, wait_for
from mrt import update
from speaker import (END_OF_RIB4, END_OF_RIB6, KEEPALIVE, NOTIFICATION, OPEN, ROUTE_REFRESH, UPDATE,
                     Speaker, message)


def silent(scratch, binary):
    net = Net(scratch, binary)
    bird = net.add_bird("bird", 64501, table())
    internal = net.add_bird("internal", COLLECTOR_AS, table(), active=False)
    net.neighbors.append(Neighbor("raw", "127.0.0.99", 64503, passive=True))
    for each in net.birds:
        each.start()
    lapwing = net.start_lapwing()

    speaker = Speaker(asn=64503, address="127.0.0.99", peer_address="127.0.0.1",
                      peer_port=net.port, router_id="192.0.2.99")
    held = 0
    for n in range(100):
        speaker.send(update((64503, 65000 + n), [f"198.18.{n}.0/24", f"2001:db8:{n:x}::/48"]))
        held += 2
    speaker.send(END_OF_RIB4 + END_OF_RIB6)
    lapwing.wait_routes(len(bird.routes) + len(internal.routes) + held)

    # What would make a router talk: changes, withdrawals, a request for its table (RFC 2918).
    speaker.send(update(withdraw=["198.18.0.0/24"]))
    bird.set_routes({p: (64499, *path) for p, path in table(100, 20).items()})
    internal.birdc("reload in lapwing")
    speaker.send(message(ROUTE_REFRESH, b"\0\1\0\1") + message(ROUTE_REFRESH, b"\0\2\0\1"))
    lapwing.wait_routes(len(bird.routes) + len(internal.routes) + held - 1)
    # A malformed ORIGIN is treated as a withdrawal (RFC 7606 7.1), in silence.
    fine = update((64503, 65000), ["198.18.1.0/24"])
    origin = bytes([0x40, 1, 1, 0])
    check_equal(fine.count(origin), 1, "ORIGIN in the UPDATE")
    speaker.send(fine.replace(origin, bytes([0x40, 1, 1, 9])))
    wait_for(lambda: lapwing.peers()["raw"]["routes"] == held - 2, 5, "treat-as-withdraw")
    for each in net.birds:
        check("Import updates:" in each.details(), f"{each.name} counts: {each.details()}")
        check_equal(each.imported(), (0, 0, 0), f"what {each.name} received")
    lapwing.stop()

    allowed = {OPEN, KEEPALIVE, NOTIFICATION, ROUTE_REFRESH, UPDATE}
    check(set(speaker.kinds()) <= allowed, f"message types sent: {sorted(set(speaker.kinds()))}")
    talk = [m.hex() for m in speaker.heard
            if m[18] == UPDATE and m not in (END_OF_RIB4, END_OF_RIB6)]
    check_equal(talk, [], "UPDATEs other than End-of-RIB")
    check_equal(speaker.kinds().count(NOTIFICATION), 1, "NOTIFICATIONs: the Cease at the end")


run(silent, __doc__)
