#!/usr/bin/env python3
"""max-prefix: a warning near the limit, Cease/1 beyond it, idle until the operator says otherwise."""

from case import COLLECTOR_AS, Lapwing, Neighbor, check, check_equal, free_port, run, wait_for
from feeder import updates
from process import LabError
from speaker import NOTIFICATION, Speaker


def routes(first, last):
    return {f"198.18.{n}.0/24": (64501, 1103, 65000 + n) for n in range(first, last)}


def max_prefix(scratch, binary):
    port = free_port()
    neighbor = Neighbor("router", "127.0.0.11", 64501, local_address="127.0.0.1", passive=True, extra={
        "max-prefix": '{ limit = 1000, ipv4-unicast = 10, action = "shutdown" }'})
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=[neighbor],
                      listen=[f"127.0.0.1:{port}"]).start()

    def connect():
        return Speaker(asn=64501, address="127.0.0.11", peer_address="127.0.0.1", peer_port=port,
                       router_id="192.0.2.11")

    def limit_events():
        return [e for e in lapwing.events() if e["type"] == "max-prefix"]

    router = connect()
    router.send(b"".join(updates(routes(0, 8))))
    wait_for(lambda: limit_events(), 10, "a warning at 80 percent", lapwing.peers)
    check_equal([(e["action"], e["severity"], e["stopped"]) for e in limit_events()],
                [("raise", "warning", False)], "events near the limit")
    router.send(b"".join(updates(routes(8, 10))))
    lapwing.wait_routes(10)
    check(NOTIFICATION not in router.kinds(), "ten of ten routes are too many?")

    router.send(b"".join(updates(routes(10, 60))))
    router.wait_for(NOTIFICATION, 10)
    said = next(m for m in router.heard if m[18] == NOTIFICATION)
    # Cease, Maximum Number of Prefixes Reached; AFI, SAFI and the limit (RFC 4486 4).
    check_equal(said[19:].hex(), "0601" + "0001" "01" + "0000000a", "NOTIFICATION")
    wait_for(lambda: lapwing.peers()["router"]["state"] == "Idle", 10, "the session is idle")
    peer = lapwing.peers()["router"]
    check_equal(peer["routes"], 10, "routes that are kept")
    check_equal(peer["last_error"], "more than 10 routes of ipv4-unicast", "reason")
    wait_for(lambda: len(limit_events()) == 2, 10, "the event of the limit")
    last = limit_events()[-1]
    check_equal((last["action"], last["severity"], last["stopped"], last["limit"], last["family"]),
                ("raise", "error", True, 10, "ipv4-unicast"), "event beyond the limit")
    check_equal(last["peers"], ["router"], "whose event")
    try:
        connect()
    except (OSError, LabError):
        pass
    else:
        raise LabError("the neighbour was let in again")

    # As documented, a restart lets it in again: the next one that is too many stops it again.
    lapwing.stop()
    lapwing.start()
    router = connect()
    router.send(b"".join(updates(routes(0, 30))))
    router.wait_for(NOTIFICATION, 10)
    check_equal(lapwing.peers()["router"]["routes"], 10, "routes after the second time")
    lapwing.stop()


run(max_prefix, __doc__)
