#!/usr/bin/env python3
"""rsyslog understands every event, by UDP, TCP and Unix socket; its fields equal the JSON event's.

Then the receiver is down while something happens: by TCP everything arrives once it is back.
"""

from case import NEW, ORIGIN, STAR, Net, check, check_equal, parse_time, run, table, wait_for
from rsyslog import Rsyslog, sd_of

LOCAL7 = 23
SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")


def check_message(message, event):
    what = f"{message['input']}, {event['type']}"
    check_equal(message["protocol"], "1", f"{what}: VERSION")
    check_equal(message["msgid"], event["type"].upper().replace("-", "_"), f"{what}: MSGID")
    check_equal(int(message["pri"]), LOCAL7 * 8 + SEVERITIES.index(event["severity"]),
                f"{what}: PRI")
    check_equal(parse_time(message["time"]), parse_time(event["time"]), f"{what}: TIMESTAMP")
    check(message["host"] not in ("", "-"), f"{what}: HOSTNAME {message['host']!r}")
    check_equal(message["app"], "lapwing", f"{what}: APP-NAME")
    check(message["pid"].isdigit(), f"{what}: PROCID {message['pid']!r}")
    tag = f"%LAPWING-{SEVERITIES.index(event['severity'])}-{message['msgid']}: "
    check(message["msg"].lstrip("\ufeff ").startswith(tag), f"{what}: MSG {message['msg']!r}")
    check(event["summary"] in message["msg"], f"{what}: the summary is not in {message['msg']!r}")

    sd = sd_of(message)
    wanted = {"id": event["id"], "incident": event["incident"], "action": event["action"]}
    for key in ("origin_as", "upstream_as"):
        if event.get(key) is not None:
            wanted[key] = str(event[key])
    wanted["prefixes"] = str(event["prefix_count"])
    # One sighting of the evidence is shown, whole.
    shown = [e for e in event["evidence"] if e["peer"] == sd.get("peer")
             and e["prefix"] == sd.get("prefix")]
    if event["evidence"]:
        check(shown, f"{what}: {sd} shows no sighting of {event['evidence']}")
        wanted.update((k, shown[0][k]) for k in ("old_path", "new_path") if shown[0][k] is not None)
    check_equal({k: sd.get(k) for k in wanted}, wanted, f"{what}: structured data")


def syslog(scratch, binary):
    rsyslog = Rsyslog(scratch).start()
    transports = ("tcp", "udp", "unix")
    net = Net(scratch, binary, watch_origins=[ORIGIN],
              syslog=[rsyslog.target(t) for t in transports])
    router = net.add_bird("router", 64501, table())
    net.start()
    events = net.lapwing.events

    router.set_routes({**router.routes, STAR[0]: (1103, NEW, ORIGIN)})
    wait_for(lambda: {"new-upstream", "path-change"} <= {e["type"] for e in events()}, 15,
             "events of a new upstream")
    gone = dict(router.routes)
    del gone[STAR[0]]
    router.set_routes(gone)
    wait_for(lambda: "upstream-gone" in {e["type"] for e in events()}, 10, "upstream-gone")

    inputs = {"tcp": "tcp", "udp": "udp", "unix": "imuxsock"}

    def received(transport):
        return [m for m in rsyslog.messages() if m["input"] == inputs[transport]]

    for transport in transports:
        wait_for(lambda t=transport: len(received(t)) >= len(events()), 10,
                 f"every event by {transport}",
                 lambda t=transport: f"{len(received(t))} of {len(events())}: {received(t)}")
    journal = events()
    for transport in transports:
        messages = received(transport)
        check_equal([sd_of(m).get("id") for m in messages], [e["id"] for e in journal],
                    f"events by {transport}")
        for message, event in zip(messages, journal):
            check_message(message, event)

    # The receiver is away: TCP repeats from its cursor.
    rsyslog.stop()
    router.set_routes({**router.routes, STAR[1]: (1103, 64497, ORIGIN)})
    wait_for(lambda: [e for e in events() if e["type"] == "new-upstream"
                      and e["upstream_as"] == 64497], 10, "an event while rsyslog is away")
    rsyslog.start()

    def all_by_tcp():
        return list(dict.fromkeys(sd_of(m).get("id") for m in received("tcp")))
    wait_for(lambda: len(all_by_tcp()) >= len(events()), 20, "what was missed comes by TCP",
             lambda: f"{len(all_by_tcp())} of {len(events())}")
    check_equal(all_by_tcp(), [e["id"] for e in events()], "order of events by TCP")


run(syslog, __doc__)
