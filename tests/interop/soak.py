#!/usr/bin/env python3
"""A day in fast motion: flapping neighbours, a table, API clients, reloads, two kill -9.

--seconds 1800 is the long run; the default is what a test suite can bear. At the end all sessions are
up with their tables, every event of the journal is in the file once, only what was changed on purpose
was reported, and resident memory after the first quarter has not grown.
"""

import http.client
import random
import sys
import threading
import time
import urllib.error
import urllib.request

from case import NEW, OLD, ORIGIN, STAR, LabError, Net, check, check_equal, run, table, wait_for

SECONDS = 30
if "--seconds" in sys.argv:
    at = sys.argv.index("--seconds")
    SECONDS = int(sys.argv[at + 1])
    del sys.argv[at:at + 2]


class Reader(threading.Thread):
    """Asks for one thing after the other; a collector that is just dead is asked again."""

    TARGETS = ("/api/v1/status", "/api/v1/peers", "/api/v1/routes?limit=500", "/metrics",
               "/api/v1/routes?format=ndjson", f"/api/v1/origins/{ORIGIN}/upstreams",
               "/api/v1/events?limit=50", f"/api/v1/history?prefix={STAR[0]}", "/api/v1/blind",
               "/api/v1/sinks", "/api/v1/detectors", "/api/v1/routes?as=1103&count=true")

    def __init__(self, lapwing, seed):
        super().__init__(daemon=True)
        self.lapwing, self.random = lapwing, random.Random(seed)
        self.answers, self.faults = 0, []
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.05):
            target = self.random.choice(self.TARGETS)
            try:
                with urllib.request.urlopen(self.lapwing.api_url + target, timeout=30) as answer:
                    answer.read()
                    self.answers += 1
            except urllib.error.HTTPError as error:
                if error.code not in (404, 503):
                    self.faults.append(f"{target}: {error}")
            except (OSError, http.client.HTTPException):  # dead, or died in the middle of an answer
                time.sleep(0.2)


class Soak:
    def __init__(self, scratch, binary):
        self.random = random.Random(7)
        self.net = Net(scratch, binary, watch_origins=[ORIGIN])
        many = {f"10.{n // 256}.{n % 256}.0/24": (1103, 65000 + n % 7, 4200001000 + n)
                for n in range(3000)}
        self.feeder = self.net.add_bird("feeder", 64501, {**table(), **many})
        self.flappers = [self.net.add_bird(f"flapper{n}", 64510 + n, table(150, 20),
                                           active=n % 2 == 0) for n in range(3)]
        self.net.start()
        self.lapwing = self.net.lapwing
        self.resident = []  # (seconds since the last start, octets)
        self.started = time.monotonic()
        self.steps = 0
        self.reloads = 0

    def step(self):
        """One thing that happens in a day."""
        self.steps += 1
        kind = self.random.randrange(6)
        bird = self.random.choice(self.flappers)
        if kind == 0:
            bird.birdc("restart lapwing")
        elif kind == 1:
            bird.birdc("disable lapwing")
            time.sleep(0.3)
            bird.birdc("enable lapwing")
        elif kind == 2:
            self.lapwing.cli("peer", bird.name, self.random.choice(("clear", "refresh")))
        elif kind == 3:
            self.churn()
        elif kind == 4:
            bird.set_routes({**bird.routes, "192.0.2.0/24": (1103, 65000 + self.steps % 50, 64499)})
        else:
            self.reload()

    def churn(self):
        """Transit changes of the feeder's background: its upstreams stay."""
        routes = dict(self.feeder.routes)
        for prefix in self.random.sample([p for p in routes if p.startswith("198.18.")], 100):
            head, *rest = routes[prefix]
            routes[prefix] = (head, 3356 if 3356 not in rest else 174, *rest[-2:])
        self.feeder.set_routes(routes)

    def reload(self):
        self.reloads += 1
        neighbor = self.net.neighbors[1 + self.reloads % 3]
        neighbor.extra["description"] = f'"reload {self.reloads}"'
        self.lapwing.extra = "" if self.reloads % 2 else '\n[watch]\norigins = [131279, 64499]\n'
        self.lapwing.watch_origins = [ORIGIN] if self.reloads % 2 else []
        self.lapwing.write_config()
        done = self.lapwing.cli("reload")
        check_equal(done.returncode, 0, f"reload: {done}")

    def kill(self):
        self.lapwing.kill9()
        self.lapwing.start()
        self.started = time.monotonic()
        self.resident.append(None)

    def measure(self):
        text = self.lapwing.get_raw("/metrics")[1]
        value = next(float(x.split()[1]) for x in text.splitlines()
                     if x.startswith("process_resident_memory_bytes"))
        self.resident.append((time.monotonic() - self.started, value))

    def settle(self):
        for bird in self.net.birds:
            bird.birdc("enable lapwing")
        self.lapwing.wait_established(60)
        self.lapwing.wait_routes(sum(len(b.routes) for b in self.net.birds), 60)

    def check_memory(self):
        """Of the longest life: the last quarter against the second one."""
        lives, life = [], []
        for point in [*self.resident, None]:
            if point is None:
                lives.append(life)
                life = []
            else:
                life.append(point[1])
        life = max(lives, key=len)
        if len(life) < 12:
            return "too short a life to judge memory"
        quarter = len(life) // 4
        early = max(life[quarter:2 * quarter])
        late = max(life[-quarter:])
        check(late < early * 1.15 + 16e6, f"resident memory grew from {early:.0f} to {late:.0f}")
        return f"resident {early / 1e6:.0f} MB, then {late / 1e6:.0f} MB"


def soak(scratch, binary):
    day = Soak(scratch, binary)
    lapwing = day.lapwing
    readers = [Reader(lapwing, n) for n in range(3)]
    begin = time.monotonic()
    kills = [SECONDS * 0.15, SECONDS * 0.3]
    planned = 0
    while (now := time.monotonic() - begin) < SECONDS:
        if kills and now > kills[0]:
            kills.pop(0)
            day.kill()
        day.step()
        day.measure()
        if planned == 0 and now > SECONDS * 0.6:
            day.settle()
            day.feeder.set_routes({**day.feeder.routes, STAR[0]: (1103, NEW, ORIGIN)})
            planned = 1
        time.sleep(max(0.2, SECONDS / 300))
    for reader in readers:
        reader.ended.set()
    day.settle()
    day.net.check_tables()
    check_equal([f for r in readers for f in r.faults], [], "answers of the API")
    check(sum(r.answers for r in readers) > 50, "the readers were served")

    # Every event of the journal is in the file; what was planned was reported, and no more.
    def all_delivered():
        journal = lapwing.get("events", since=0, limit=10000)[1]["events"]
        return {e["id"] for e in journal} <= {e["id"] for e in lapwing.events()}
    wait_for(all_delivered, 30, "every event of the journal is in the file", lapwing.process.log)
    alarms = [e for e in lapwing.detection_events() if e["type"] == "new-upstream"]
    unplanned = [e["summary"] for e in alarms
                 if (e.get("origin_as"), e.get("upstream_as")) != (ORIGIN, NEW)
                 and e.get("origin_as") != 64499]
    check_equal(unplanned, [], "new upstreams that nobody has")
    check_equal(len({e["id"] for e in alarms if e.get("upstream_as") == NEW}), 1,
                f"the planned new upstream (was {OLD})")
    gone = [e["summary"] for e in lapwing.detection_events() if e["type"] == "upstream-gone"
            and e.get("origin_as") not in (64499, ORIGIN) and not e["summary"].startswith("AS42000")]
    check_equal(gone, [], "upstreams that are said to be gone")
    print(f"{day.steps} steps, {day.reloads} reloads, two kill -9, "
          f"{sum(r.answers for r in readers)} answers, {len(lapwing.events())} events; "
          f"{day.check_memory()}")


run(soak, __doc__)
