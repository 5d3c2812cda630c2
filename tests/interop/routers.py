"""The life of a session with a router, step by step; frr.py, gobgp.py and so on say which router.

Sessions: "active" (Lapwing connects), "passive" (the router connects), "internal" (iBGP), "six" (over
IPv6) and "short" (hold time 3), with what the router can do: TCP-MD5, TTL security, ADD-PATH, role.
"""

import signal
import sys
import time
from datetime import datetime, timezone

from case import (COLLECTOR_AS, NEW, ORIGIN, STAR, Lapwing, Neighbor, all_routes, check, check_equal,
                  free_port, has_ipv6, large_table, parse_time, run, table, wait_for)
from router import FeederPlace, Session

ROUTER_AS = 64501
PATIENCE = 45
START = time.monotonic()


class Case:
    """One router and one Lapwing. `sessions`: of the router; Lapwing's side is derived from them."""

    def __init__(self, scratch, binary, make_router, sessions, feeders=1, name="lapwing", **extra):
        listen_port = free_port("127.0.1.1")
        for s in sessions:
            s.peer_port = listen_port
        places = [FeederPlace(64990 + n, f"127.0.3.{n + 1}") for n in range(feeders)]
        self.router = make_router(scratch, "router", asn=ROUTER_AS, sessions=sessions,
                                  feeders=places)
        neighbors = [self._neighbor(s) for s in sessions]
        listen = sorted({f"[{s.peer_address}]:{listen_port}" if s.ipv6
                         else f"{s.peer_address}:{listen_port}" for s in sessions})
        self.lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=neighbors,
                               listen=listen, watch_origins=[ORIGIN], name=name, **extra)

    def _neighbor(self, s):
        keys = {"hold-time": s.hold_time, "quiet-period": 5}
        if s.peer_as != COLLECTOR_AS:
            keys["local-as"] = s.peer_as
        if s.password:
            keys["password"] = f'"{s.password}"'
        if s.ttl_security:
            keys["ttl-security"] = "true"
        if s.add_path:
            keys["add-path"] = "true"
        if s.role:
            keys["role"] = {"provider": '"customer"', "customer": '"provider"',
                            "peer": '"peer"'}[s.role]
        return Neighbor(s.name, s.address, ROUTER_AS, port=self.router.port,
                        local_address=s.peer_address, passive=not s.waits, extra=keys)

    def start(self, *tables):
        self.router.start()
        self.router.feed(tables)
        self.lapwing.start()

    def peer(self, session):
        return self.lapwing.peers()[session.name]

    def established(self, session):
        return self.peer(session)["established"]

    def up(self, session, more_than=0):
        def is_up():
            peer = self.peer(session)
            return peer["state"] == "Established" and peer["established"] > more_than
        wait_for(is_up, PATIENCE, f"session {session.name} is up",
                 lambda: f"{self.peer(session)}\n{self.router.process.log()}")

    def same(self, sessions=None, count=None):
        """Until Lapwing's tables equal what the router says that it sends, and nothing is stale."""
        for session in sessions or self.router.sessions:
            self.up(session)

            def differences(s=session):
                announced = self.router.announced(s)
                got = {p: v for (_, p), v in self.lapwing.routes(peer=s.name).items()}
                wanted = {p: (path, False) for p, path in announced.items()}
                if count is not None and len(wanted) != count:
                    return f"the router announces {len(wanted)} of {count}"
                if got == wanted:
                    return ""
                wrong = [(p, got.get(p), wanted.get(p)) for p in sorted({*got, *wanted})
                         if got.get(p) != wanted.get(p)]
                return f"{len(wrong)} differ, such as {wrong[:5]}"
            wait_for(lambda d=differences: d() == "", PATIENCE,
                     f"the table of {session.name} is what the router sends", differences)

    def ask(self, session, what):
        done = self.lapwing.cli("peer", session.name, what)
        check(done.returncode == 0, f"lapwing peer {session.name} {what}: {done.stdout}{done.stderr}")

    def settled_updates(self, session):
        """How many UPDATEs have come, once none comes any more: a late one is no answer."""
        count = -1
        while count != (now := self.peer(session)["updates_received"]):
            count = now
            time.sleep(0.5)
        return count

    def refresh(self, session):
        """Lapwing asks for the table; it comes once more, where the router has an answer."""
        updates = self.settled_updates(session)
        self.ask(session, "refresh")
        if self.router.ANSWERS_REFRESH:
            wait_for(lambda: self.peer(session)["updates_received"] > updates, PATIENCE,
                     "the router repeats its table when Lapwing asks",
                     lambda: str(self.peer(session)))
        else:
            check_equal(self.settled_updates(session), updates, "UPDATEs of a router that has none")

    def stale(self, session, count):
        wait_for(lambda: self.peer(session)["stale"] == count, PATIENCE,
                 f"{count} routes of {session.name} are kept as stale",
                 lambda: str(self.peer(session)))

    def last_error(self, session, *texts):
        """One of the texts."""
        wait_for(lambda: any(t in self.peer(session)["last_error"] for t in texts), PATIENCE,
                 f"the reason of {session.name} holds {texts}",
                 lambda: str(self.peer(session)["last_error"]))

    def no_events(self, what, since):
        """By event time: a report that coalesces what happened before may still come."""
        late = [e["summary"] for e in self.lapwing.detection_events()
                if parse_time(e["time"]) > since]
        check_equal(late, [], f"events of {what}")


def sessions_of(router, six=True):
    """The sessions of the walk, with what this router can do (`router.CAN`)."""
    can = router.CAN
    key = "s3cret"
    sessions = [
        Session("active", "127.0.2.1", "127.0.1.1", COLLECTOR_AS,
                password=key if "md5-accepting" in can else "",
                role="customer" if "role" in can else ""),
        Session("passive", "127.0.2.2", "127.0.1.2", COLLECTOR_AS, waits=False,
                password=key if "md5-connecting" in can else ""),
        Session("internal", "127.0.2.3", "127.0.1.3", ROUTER_AS,
                ttl_security="ttl-security-internal" in can),
        Session("short", "127.0.2.4", "127.0.1.4", COLLECTOR_AS, hold_time=3,
                ttl_security="ttl-security" in can),
    ]
    if six and has_ipv6() and "ipv6-transport" in can:
        sessions.append(Session("six", "::1", "::1", COLLECTOR_AS))
    return sessions


def walk(scratch, binary, make_router):
    case = Case(scratch, binary, make_router, sessions_of(make_router))
    router, lapwing = case.router, case.lapwing
    routes = table(150, 50)
    case.start(routes)
    active, internal, short = (router.session(n) for n in ("active", "internal", "short"))
    case.same(count=len(routes))
    for capability in make_router.CAPABILITIES:
        check(any(capability in c for c in case.peer(active)["capabilities"]),
              f"{capability} is not among {case.peer(active)['capabilities']}")
    step("tables are equal")

    changed = {p: path for p, path in routes.items() if not p.startswith("198.18.1")}
    changed[STAR[0]] = (1103, NEW, ORIGIN)
    changed["2001:db8:77::/48"] = (1103,)
    router.feed([changed])
    case.same(count=len(changed))
    wait_for(lambda: [e for e in lapwing.detection_events() if e["type"] == "new-upstream"],
             PATIENCE, "the new upstream is reported")
    step("withdrawals and changes are equal")

    before = datetime.now(timezone.utc)
    count = len(changed)
    updates = case.settled_updates(active)
    if router.refresh_out(active):
        wait_for(lambda: case.peer(active)["updates_received"] > updates, PATIENCE,
                 "the table is announced once more", lambda: str(case.peer(active)))
    router.refresh_in(active)
    case.refresh(active)
    case.same([active], count)
    case.no_events("a refresh", before)
    step("refreshed by the router, and by Lapwing")

    times = case.established(active)
    router.shut_down(active, "maintenance of line 7")
    if router.STAYS_DOWN:
        case.stale(active, count)
    case.last_error(active, *router.shown("maintenance of line 7"))
    router.no_shut_down(active)
    case.up(active, times)
    case.same([active], count)
    again = router.session(router.RESET)
    times = case.established(again)
    router.reset(again)
    case.up(again, times)
    case.same([again], count)
    case.no_events("a shutdown and a reset", before)
    step("ended and reset by the router")

    # The daemon is frozen: only the session whose hold time is 3 notices within this step.
    times = case.established(short)
    router.signal(signal.SIGSTOP)
    try:
        case.last_error(short, "Hold Timer Expired")
        case.stale(short, count)
    finally:
        router.signal(signal.SIGCONT)
    router.wake(short)
    case.up(short, times)
    case.same(count=count)
    case.no_events("an expired hold timer", before)
    step("hold timer expired and back")

    times = case.established(short)
    case.ask(short, "clear")
    router.wake(short)
    case.up(short, times)
    case.same([short], count)
    case.no_events("a reset by Lapwing", before)
    step("reset by Lapwing")

    lapwing.stop()
    if router.told(active):
        wait_for(lambda: "Lapwing is stopping" in router.told(active), PATIENCE,
                 "the router has our shutdown text", lambda: router.told(active)[-2000:])
    lapwing.start()
    for session in router.sessions:
        router.wake(session)
    case.same(count=count)
    case.no_events("a restart of Lapwing", before)
    step("ended by Lapwing and back")

    router.kill()
    case.stale(internal, count)
    # Lapwing comes after the router has its table: else End-of-RIB rightly says that it is empty.
    lapwing.kill9()
    router.start()
    router.feed([changed])
    lapwing.start()
    case.same(count=count)
    case.no_events("the death of the router", before)
    step("killed and back")
    router.stop()
    lapwing.stop()


def add_path(scratch, binary, make_router):
    """Two feeders announce the same prefixes; both paths of each arrive."""
    sessions = [Session("every-path", "127.0.2.1", "127.0.1.1", ROUTER_AS, add_path=True)]
    case = Case(scratch, binary, make_router, sessions, feeders=2, name="lapwing-add-path")
    routes = table(40, 20)
    case.start(routes, {p: (3356, *path) for p, path in routes.items()})
    case.up(sessions[0])

    def rows():
        return case.lapwing.get("routes", peer="every-path", limit=50000)[1]["routes"]
    wait_for(lambda: len(rows()) == 2 * len(routes), PATIENCE, "both paths of every prefix",
             lambda: f"{len(rows())} of {2 * len(routes)}; {case.peer(sessions[0])}")
    paths = {}
    for row in rows():
        paths.setdefault(row["prefix"], set()).add((row["as_path"], row["path_id"]))
    for prefix, path in routes.items():
        wanted = {" ".join(map(str, case.router.seen(sessions[0], p)))
                  for p in ((64990, *path), (64991, 3356, *path))}
        check_equal({p for p, _ in paths[prefix]}, wanted, f"paths of {prefix}")
        check_equal(len({i for _, i in paths[prefix]}), 2, f"path identifiers of {prefix}")
    case.router.feed([routes, {}])
    wait_for(lambda: len(rows()) == len(routes), PATIENCE, "the second paths are gone")
    case.router.stop()
    case.lapwing.stop()
    step("ADD-PATH")


def hundred_thousand(scratch, binary, make_router):
    """80,000 IPv4 and 20,000 IPv6 routes: complete and equal."""
    sessions = [Session("full", "127.0.2.1", "127.0.1.1", COLLECTOR_AS)]
    case = Case(scratch, binary, make_router, sessions, name="lapwing-full")
    routes = large_table()
    case.start(routes)
    case.up(sessions[0])
    case.lapwing.wait_routes(len(routes), seconds=120)
    announced = case.router.announced(sessions[0])
    check_equal(len(announced), len(routes), "routes that the router announces")
    got = all_routes(case.lapwing, "full")
    check_equal(got, announced, "table of 100,000 routes")
    case.router.stop()
    case.lapwing.stop()
    step("100,000 routes are equal")


def step(text):
    print(f"{time.monotonic() - START:5.1f} s: {text}", flush=True)


def main(router, doc):
    """The walk and ADD-PATH; with --full, 100,000 routes instead."""
    def short(scratch, binary):
        walk(scratch, binary, router)
        add_path(scratch, binary, router)

    def full(scratch, binary):
        hundred_thousand(scratch, binary, router)

    run(full if "--full" in sys.argv else short, doc)
