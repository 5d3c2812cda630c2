#!/usr/bin/env python3
"""Reload: neighbours, watch lists, detectors and sinks come, change and go; nothing else is touched."""

import os
import signal

from case import (NEW, OLD, ORIGIN, STAR, Net, check, check_equal, free_port, run, table,
                  wait_for)


def reload(scratch, binary):
    net = Net(scratch, binary)
    kept = net.add_bird("kept", 64501, table())
    leaves = net.add_bird("leaves", 64502, table(50, 10))
    comes = net.add_bird("comes", 64503, table(20, 5))
    later = net.neighbors.pop()
    for bird in net.birds:
        bird.start()
    lapwing = net.start_lapwing()
    both = len(kept.routes) + len(leaves.routes)
    lapwing.wait_established()
    lapwing.wait_routes(both)

    def reload_by_cli(expect=0):
        lapwing.write_config()
        done = lapwing.cli("reload")
        check_equal(done.returncode, expect, f"reload: {done}")
        return done.stdout + done.stderr

    def established():
        return lapwing.peers()["kept"]["established"], lapwing.peers()["kept"]["since"]

    untouched = established()
    check("nothing differs" in reload_by_cli(), "a reload of the same file says so")

    # A wrong file changes nothing and says why, over the API, the CLI and by signal.
    lapwing.extra = "\n[speker]\n"
    said = reload_by_cli(1)
    check("did you mean \"speaker\"" in said and "nothing was changed" in said, said)
    lapwing.process.signal(signal.SIGHUP)
    wait_for(lambda: lapwing.process.log().count("did you mean \"speaker\"") >= 2, 15,
             "the log says what is wrong", lapwing.process.log)
    lapwing.extra = "\n[detector.new-upstream]\nno-such-key = 1\n"
    check("no-such-key" in reload_by_cli(1), "a detector's fault is told")
    lapwing.extra = ""
    local_as, lapwing.local_as = lapwing.local_as, 64999
    check("need a restart" in reload_by_cli(1), "what needs a restart refuses the reload")
    lapwing.local_as = local_as
    check_equal(established(), untouched, "the session after refused reloads")

    # A neighbour comes, another one goes; its routes are kept, stale.
    lapwing.neighbors = [net.neighbors[0], later]
    said = reload_by_cli()
    check("neighbour leaves removed" in said and "neighbour comes added" in said, said)
    lapwing.wait_established()
    wait_for(lambda: lapwing.status()["routes"] == both + len(comes.routes), 15,
             "the new neighbour's routes beside those that are kept", lapwing.process.log)
    check("leaves" not in lapwing.peers(), "the removed neighbour is not shown")
    stale = lapwing.routes(peer="leaves")
    check(len(stale) == len(leaves.routes) and all(s for _, s in stale.values()), "kept, stale")
    check_equal(established(), untouched, "the untouched session")

    # It is back before its time is over: no event. Then gone for good: dropped at once.
    lapwing.neighbors = [*net.neighbors, later]
    reload_by_cli()
    lapwing.wait_established()
    lapwing.wait_routes(both + len(comes.routes))
    check_equal(lapwing.detection_events(), [], "events of a neighbour that left and came back")
    lapwing.neighbors = [net.neighbors[0], later]
    lapwing.storage_extra = 'keep-removed = "1s"\n'
    reload_by_cli()
    lapwing.wait_routes(len(kept.routes) + len(comes.routes), 20)
    check_equal(lapwing.routes(peer="leaves"), {}, "routes that are dropped")
    check_equal(lapwing.detection_events(), [], "events of routes that are dropped")

    # A changed description needs no new session; a changed hold time does.
    later.extra["description"] = '"the third"'
    since = lapwing.peers()["comes"]["since"]
    check("neighbour comes changed" in reload_by_cli(), "the change is told")
    wait_for(lambda: lapwing.peers()["comes"]["description"] == "the third", 15, "description")
    check_equal(lapwing.peers()["comes"]["since"], since, "a description resets no session")
    later.extra["hold-time"] = 33
    reload_by_cli()
    wait_for(lambda: lapwing.peers()["comes"]["hold_time"] == 33, 15, "the new hold time",
             lapwing.process.log)

    # Watch list and detectors: from here on path-change sees what it did not watch before, and
    # new-upstream still knows what it knew.
    kept.set_routes({**kept.routes, "198.18.3.0/24": (1103, 3356, 65003, 4200000003)})
    lapwing.wait_routes(len(kept.routes) + len(comes.routes))
    check_equal([e["type"] for e in lapwing.events() if e["type"] == "path-change"], [],
                "nothing is watched")
    lapwing.extra = '\n[watch]\nprefixes = ["198.18.4.0/24"]\n'
    check("watch list changed" in reload_by_cli(), "the watch list")
    kept.set_routes({**kept.routes, "198.18.4.0/24": (1103, 3356, 65004, 4200000004)})
    wait_for(lambda: any(e["type"] == "path-change" for e in lapwing.events()), 20,
             "path-change of a prefix that is watched now", lapwing.process.log)
    upstreams = lapwing.get(f"origins/{ORIGIN}/upstreams")[1]
    check_equal([u["as"] for u in upstreams], [OLD], "what new-upstream knows")
    kept.set_routes({**kept.routes, STAR[0]: (1103, NEW, ORIGIN)})
    wait_for(lambda: any(e["type"] == "new-upstream" for e in lapwing.events()), 20,
             "new-upstream after its detector began anew", lapwing.process.log)

    # A second sink comes, and one of every other kind; the first one goes on.
    first = lapwing.get("sinks")[1]["sinks"]
    path = scratch.file("second.jsonl")
    lapwing.extra += (f'\n[[sink.jsonl]]\npath = "{path}"\n\n[[sink.stdout]]\n\n[[sink.journald]]\n'
                      f'socket = "{scratch.file("journal")}"\n\n[[sink.webhook]]\n'
                      f'url = "http://127.0.0.1:{free_port()}/"\n\n[[sink.syslog]]\n'
                      f'target = "udp://127.0.0.1:{free_port()}"\n')
    check("5 begun, 1 untouched" in reload_by_cli(), "sinks")
    kept.set_routes({**kept.routes, STAR[1]: (1103, NEW, ORIGIN), STAR[2]: (1103, 701, ORIGIN)})
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, 20,
             "an event in the second file", lapwing.process.log)
    wait_for(lambda: any(s["name"] == first[0]["name"] and s["delivered"] > first[0]["delivered"]
                         for s in lapwing.get("sinks")[1]["sinks"]), 20,
             "the first sink goes on", lambda: str(lapwing.get("sinks")))
    lapwing.extra = '\n[watch]\nprefixes = ["198.18.4.0/24"]\n'
    reload_by_cli()
    check_equal(len(lapwing.get("sinks")[1]["sinks"]), 1, "sinks after the others were removed")
    check_equal(established(), untouched, "the untouched session at the end")
    net.lapwing.stop()


def removed_sink(scratch, binary):
    """A sink whose receiver is away holds the journal; once a reload has removed it, it does not."""
    net = Net(scratch, binary, name="holding")
    bird = net.add_bird("bird", 64501, table())
    bird.start()
    net.start_lapwing()
    lapwing = net.lapwing
    lapwing.storage_extra = "event-limit = 4\n"
    lapwing.stop()
    lapwing.extra = f'\n[[sink.syslog]]\nname = "away"\ntarget = "tcp://127.0.0.1:{free_port()}"\n'
    lapwing.start()
    lapwing.wait_routes(len(bird.routes))
    upstream = 64700

    def raise_events(count):
        nonlocal upstream
        for _ in range(count):
            upstream += 1
            bird.set_routes({**bird.routes, STAR[0]: (1103, upstream, ORIGIN)})
            wait_for(lambda: any(e.get("upstream_as") == upstream for e in lapwing.events()), 20,
                     f"an event about AS{upstream}", lapwing.process.log)

    def kept():
        return [e["number"] for e in lapwing.get("events", limit=1000)[1]["events"]]

    raise_events(6)
    away = next(s for s in lapwing.get("sinks")[1]["sinks"] if s["name"] == "away")
    check(away["waiting"] > 4 and min(kept()) <= away["cursor"] + 1,
          f"the sink holds what waits for it: {away}, {kept()}")
    lapwing.extra = ""
    lapwing.write_config()
    said = lapwing.cli("reload")
    check("1 ended" in said.stdout, f"reload: {said}")
    raise_events(2)
    wait_for(lambda: min(kept()) > away["cursor"] + 1, 20, "it holds nothing any more",
             lambda: f"{away}, {kept()}")
    lapwing.stop()


def reloads(scratch, binary):
    reload(scratch, binary)
    removed_sink(scratch, binary)


run(reloads, __doc__)
