#!/usr/bin/env python3
"""The API beside a running BIRD: filters, history, blind intervals, updates, writes, metrics."""

import json
import shutil
import subprocess
import threading

from case import NEW, OLD, ORIGIN, STAR, Net, check, check_equal, run, table, wait_for


def monitor(lapwing, lines):
    """Collects what `lapwing monitor updates -j` prints."""
    process = subprocess.Popen([lapwing.binary, "monitor", "updates", "-j", "--api",
                                "unix:" + lapwing.socket], stdout=subprocess.PIPE, text=True)
    threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
    return process


def promtool(text):
    program = shutil.which("promtool")
    if not program:
        print("promtool is not installed: the strict parser of http_test stands for it")
        return
    done = subprocess.run([program, "check", "metrics"], input=text, capture_output=True, text=True,
                          timeout=60)
    check(done.returncode in (0, 3), f"promtool: {done.stdout}{done.stderr}")
    # 3: style only. Counters that are gauges by name and the like would be faults.
    check("error" not in done.stderr.lower(), f"promtool: {done.stderr}")


def api(scratch, binary):
    net = Net(scratch, binary, watch_origins=[ORIGIN])
    router = net.add_bird("router", 64501, table())
    other = net.add_bird("other", 64502, table(50, 10), active=False)
    net.start()
    lapwing = net.lapwing
    total = len(router.routes) + len(other.routes)

    # Counting, filters, pages, NDJSON.
    def count(**query):
        return lapwing.get("routes", count="true", **query)[1]["count"]

    check_equal(count(), total, "all routes")
    check_equal(count(peer="other"), len(other.routes), "routes of one neighbour")
    check_equal(count(origin=ORIGIN), 8, "routes of the origin, of both neighbours")
    check_equal(count(transit=OLD), 8, "routes through the upstream")
    check_equal(count(transit=ORIGIN), 0, "the origin is no transit")
    check_equal(count(prefix="175.45.176.0/20", match="longer"), 8, "more specific ones")
    check_equal(count(prefix="175.45.176.9", match="shorter"), 4, "less specific ones")
    check_equal(count(family="ipv6-unicast", peer="other"),
                sum(":" in p for p in other.routes), "routes of a family")
    seen, after = [], None
    while True:
        page = lapwing.get("routes", limit=100, **({"after": after} if after else {}))[1]
        seen += [(r["prefix"], r["peer"]) for r in page["routes"]]
        after = page["next"]
        if not page["truncated"]:
            break
    check_equal((len(seen), len(set(seen))), (total, total), "pages")
    lines = lapwing.cli("show", "route", "all", "--ndjson").stdout.splitlines()
    check_equal({(r["prefix"], r["peer"]) for r in map(json.loads, lines)}, set(seen), "NDJSON")
    said = lapwing.cli("show", "route", "all", "source-as", str(ORIGIN), "count")
    check_equal(said.stdout.strip(), "8", f"count by the CLI: {said}")
    packed = subprocess.run(["curl", "-sS", "--compressed", lapwing.api_url + "/api/v1/routes"],
                            capture_output=True, text=True, timeout=30) if shutil.which("curl") \
        else None
    if packed:
        check_equal(len(json.loads(packed.stdout)["routes"]), total, "gzip, read by curl")

    # What changes is seen as it happens, and stands in the history.
    updates = []
    process = monitor(lapwing, updates)
    for n in range(200, 256):  # until the first one is seen: the monitor follows from then on
        router.set_routes({**router.routes, f"198.18.{n}.0/24": (1103, 65000, 4200000000)})
        net.settle()
        if updates:
            break
    router.set_routes({**router.routes, STAR[0]: (1103, NEW, ORIGIN)})
    wait_for(lambda: any(STAR[0] in line for line in updates), 20, "the update is monitored",
             lambda: str(updates))
    process.terminate()
    process.wait(10)
    update = [json.loads(line) for line in updates if STAR[0] in line][0]
    check_equal((update["peer"], update["change"], update["before"]["as_path"],
                 update["after"]["as_path"]),
                ("router", "replace", f"64501 1103 {OLD} {ORIGIN}", f"64501 1103 {NEW} {ORIGIN}"),
                "the update")
    net.settle()
    history = lapwing.get("history", prefix=STAR[0])[1]["history"]
    check_equal((history[0]["change"], history[0]["after"]["as_path"]),
                ("replace", f"64501 1103 {NEW} {ORIGIN}"), "the newest row of the history")
    said = lapwing.cli("show", "history", STAR[0])
    check(str(NEW) in said.stdout and "replace" in said.stdout, f"show history: {said}")

    # Writes: not over TCP without a token; over the socket they do what they say.
    refused = subprocess.run([binary, "peer", "router", "clear", "--api", lapwing.api_url],
                             capture_output=True, text=True, timeout=30)
    check(refused.returncode == 1 and "token" in refused.stderr, f"a write over TCP: {refused}")
    flaps = lapwing.peers()["router"]["established"]
    done = lapwing.cli("peer", "router", "clear", "--text", "lab work")
    check_equal(done.returncode, 0, f"peer clear: {done}")
    wait_for(lambda: "lab work" in router.log(), 15, "BIRD was told why (RFC 9003)", router.log)
    wait_for(lambda: lapwing.peers()["router"]["established"] > flaps, 20, "the session is back",
             lapwing.process.log)
    net.settle()
    check_equal(lapwing.cli("peer", "router", "refresh").returncode, 0, "peer refresh")
    net.settle()
    check_equal(lapwing.cli("peer", "other", "disable").returncode, 0, "peer disable")
    wait_for(lambda: lapwing.peers()["other"]["state"] == "Idle", 15, "other is down")
    check_equal(lapwing.cli("peer", "other", "refresh").returncode, 1, "refresh of what is down")
    blind = lapwing.get("blind", peer="other")[1]["blind"]
    check(blind and blind[-1]["to"] is None, f"other is blind now: {blind}")
    check("still" in lapwing.cli("show", "blind", "other").stdout, "show blind")
    check_equal(lapwing.cli("peer", "other", "enable").returncode, 0, "peer enable")
    net.settle()
    blind = lapwing.get("blind", peer="other")[1]["blind"]
    check(blind and blind[-1]["to"], f"the blind interval has ended: {blind}")
    check_equal(lapwing.cli("peer", "nobody", "clear").returncode, 1, "a neighbour that is not there")

    # Metrics hold what happened.
    text = lapwing.get_raw("/metrics")[1]
    for line in ('lapwing_peer_up{peer="router"} 1',
                 f'lapwing_peer_routes{{peer="other",family="ipv4-unicast"}} '
                 f'{sum(":" not in p for p in other.routes)}',
                 'lapwing_peer_messages_sent_total{peer="router",type="route_refresh"}',
                 "lapwing_detector_calls_total", "lapwing_event_seconds_count"):
        check(line in text, f"metrics lack {line}")
    count_line = next(x for x in text.splitlines() if x.startswith("lapwing_event_seconds_count"))
    check(int(count_line.split()[1]) >= 1, f"an event was measured: {count_line}")
    promtool(text)
    offered = subprocess.run([binary, "complete", "--", "show", "--api", "unix:" + lapwing.socket,
                              "peer", "o"], capture_output=True, text=True, timeout=30)
    check_equal(offered.stdout.split(), ["other"], "completion of a neighbour's name")


run(api, __doc__)
