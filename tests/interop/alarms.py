#!/usr/bin/env python3
"""What must not raise an alarm of a route: refresh, a lost neighbour, a further one, ADD-PATH, graceful
restart; and after a restart exactly the hundred changed paths are told, with `changed_between`."""

from case import (COLLECTOR_AS, NEW, ORIGIN, STAR, Bird, Net, Neighbor, check, check_equal,
                  free_port, parse_time, run, table, wait_for)

# Types about neighbours, which may come; any other event is an alarm.
SESSIONS = ("peer-down", "peer-up", "peer-blind")


def alarms(net):
    return [e for e in net.lapwing.events() if e["type"] not in SESSIONS]


def quiet(net, what):
    check_equal([f"{e['type']}: {e['summary']}" for e in alarms(net)], [], f"alarms after {what}")


def alarm_cases(scratch, binary):
    net = Net(scratch, binary, watch_origins=[ORIGIN])
    router = net.add_bird("router", 64501, table(), active=False,
                          options="graceful restart on; enable route refresh on;")
    # Known already, comes later: it sees the origin behind an upstream that nobody showed before.
    later = net.add_bird("later", 64502, table(50, 10, star=NEW), active=False)
    router.start()
    net.start_lapwing()
    net.lapwing.wait_routes(len(router.routes))
    lapwing = net.lapwing

    def updates():
        return lapwing.peers()["router"]["updates_received"]

    # The whole table again, within the session.
    before = updates()
    router.birdc("reload out lapwing")
    wait_for(lambda: updates() > before, 10, "the table is sent once more")
    lapwing.wait_routes(len(router.routes))
    quiet(net, "a repetition of the table")

    # A vantage point that was not there: its first table teaches.
    later.start()
    lapwing.wait_routes(len(router.routes) + len(later.routes))
    quiet(net, "the first table of a second vantage point")

    # A graceful restart of the router, and a neighbour that stays away.
    router.process.kill()
    wait_for(lambda: lapwing.peers()["router"]["stale"] == len(router.routes), 15,
             "routes of a lost neighbour are kept, as stale")
    quiet(net, "the loss of a neighbour")
    router.start()
    lapwing.wait_routes(len(router.routes) + len(later.routes))
    quiet(net, "the neighbour's return")
    told = [(e["type"], e["action"], e["peers"]) for e in lapwing.events()]
    check_equal(told, [("peer-down", "raise", ["router"]), ("peer-up", "clear", ["router"])],
                "events of the neighbour")
    up = lapwing.events()[1]
    check(parse_time(up["blind_since"]) < parse_time(up["time"]), f"the blind interval: {up}")

    # A hundred paths change while Lapwing is away: these and no others, with their interval.
    lapwing.kill9()
    router.birdc("disable lapwing")
    changed = {f"198.18.{n}.0/24": (1103, 3356, 65100 + n, 4200000000 + n) for n in range(100)}
    router.set_routes({**router.routes, **changed})
    lapwing.start()
    router.birdc("enable lapwing")
    net.settle()

    def found():
        return {e["origin_as"] for e in alarms(net) if e["type"] == "new-upstream"}
    wait_for(lambda: len(found()) >= 100, 15, "the changed paths are found", found)
    check_equal(found(), {4200000000 + n for n in range(100)}, "origins with a new upstream")
    for event in alarms(net):
        check(event["cause"] == "resync" and event["changed_between"], f"how it was found: {event}")
        check(4200000000 <= event["origin_as"] < 4200000100, f"a stranger: {event}")


class AddPathBird(Bird):
    """Sends a second path of each prefix in `second`, {prefix: path}, with path identifiers."""
    second = {}

    def _static_protocols(self):
        text = super()._static_protocols()
        first, self.routes = self.routes, self.second
        more = super()._static_protocols().replace("static static_", "static second_")
        self.routes = first
        return text + more

    def _write(self):
        super()._write()
        with open(self._config) as config:
            text = config.read()
        with open(self._config, "w") as out:
            out.write(text.replace("import all;", "import all; add paths tx;"))


def add_path(scratch, binary):
    """Several paths of one prefix: one of them more or less takes nothing away."""
    net = Net(scratch, binary, watch_origins=[ORIGIN], name="add-path")
    port = free_port("127.0.0.31")
    bird = AddPathBird(scratch, "both", local_as=64504, address="127.0.0.31", port=port,
                       peer_as=COLLECTOR_AS, peer_address="127.0.0.1", peer_port=net.port,
                       passive=True, routes=table(20, 10), router_id="192.0.2.31")
    bird.second = {p: (3356, *bird.routes[p][1:]) for p in STAR}
    net.neighbors.append(Neighbor("both", "127.0.0.31", 64504, port=port, extra={"add-path": "true"}))
    bird.start()
    lapwing = net.start_lapwing()
    lapwing.wait_routes(len(bird.routes) + len(STAR))
    quiet(net, "a first table with two paths of a prefix")

    bird.second = {}
    bird.set_routes(bird.routes)
    lapwing.wait_routes(len(bird.routes))
    bird.second = {p: (6939, *bird.routes[p][1:]) for p in STAR}
    bird.set_routes(bird.routes)
    lapwing.wait_routes(len(bird.routes) + len(STAR))
    quiet(net, "the second path goes and comes")

    bird.birdc("restart lapwing")
    wait_for(lambda: lapwing.peers()["both"]["established"] == 2, 15, "a new session")
    lapwing.wait_routes(len(bird.routes) + len(STAR))
    quiet(net, "a session reset with path identifiers")

    bird.second = {p: (6939, NEW, ORIGIN) for p in STAR[:1]}
    bird.set_routes(bird.routes)
    wait_for(lambda: alarms(net), 10, "a path behind another upstream is told")
    new = alarms(net)[0]
    check_equal((new["type"], new["upstream_as"], new["prefixes"]), ("new-upstream", NEW, STAR[:1]),
                "the new upstream, seen on one path of two")

    # What folded into an event, and what was suppressed, can be asked for.
    wait_for(lambda: [e for e in alarms(net) if e["type"] == "path-change"], 10, "path-change")
    change = [e for e in alarms(net) if e["type"] == "path-change"][0]
    status, children = lapwing.get(f"events/{change['id']}/children")
    check_equal((status, len(children)), (200, change["count"]), "children of the path-change")
    check_equal([c["prefix"] for c in children], STAR[:1] * len(children), "their prefixes")
    check_equal(lapwing.get("events/0/children")[0], 404, "children of no event")
    check_equal(lapwing.get("suppressed"), (200, {"rules": [], "events": []}), "suppressed")


def both(scratch, binary):
    alarm_cases(scratch, binary)
    add_path(scratch, binary)


run(both, __doc__)
