#!/usr/bin/env python3
"""rsyslog and syslog-ng parse every message, by UDP, TCP and TLS: each type of docs/EVENTS.md and
hostile values.

What they understood equals the event, field by field; two judges because each has its own parser.
"""

import os
import re

from case import HERE, check, check_equal, parse_time, run, wait_for
from feed import SEVERITIES, Certificates, Feed, params_of, printable
from syslog_judges import judge_of

LOCAL7 = 23
TRANSPORTS = ("tcp", "udp", "tls")
SD = "lapwing@32473"


def documented_types():
    """All types of events that docs/EVENTS.md tells of."""
    with open(os.path.join(HERE, "..", "..", "docs", "EVENTS.md"), encoding="utf-8") as source:
        text = source.read()
    types = set(re.findall(r"^\| `([a-z-]+)` \| (?:raise|update|clear)", text, re.M))
    types.update(re.findall(r"^(?:## )?`([a-z]+-[a-z]+)`(?:$|:| \()", text, re.M))
    check(len(types) > 22, f"types in docs/EVENTS.md: {sorted(types)}")
    return types


def check_message(what, message, event):
    msgid = event["type"].upper().replace("-", "_")
    severity = SEVERITIES.index(event["severity"])
    check_equal(int(message["pri"]), LOCAL7 * 8 + severity, f"{what}: PRI")
    check_equal(parse_time(message["time"]), parse_time(event["time"]), f"{what}: TIMESTAMP")
    check_equal(message["host"], "lab", f"{what}: HOSTNAME")
    check_equal(message["app"], "lapwing", f"{what}: APP-NAME")
    check(message["pid"].isdigit(), f"{what}: PROCID {message['pid']!r}")
    check_equal(message["msgid"], msgid, f"{what}: MSGID")

    wanted = dict(params_of(event))
    got = message["sd"].get(SD, {})
    if len(got) < len(wanted) and len(wanted) > 100:  # the one that is too large: whole ones are left
        wanted = dict(list(wanted.items())[:len(got)])
        check(len(got) > 10, f"{what}: too few parameters: {got}")
    check_equal(got, wanted, f"{what}: structured data")
    text = f"%LAPWING-{severity}-{msgid}: {printable(event['summary'])}"
    got_text = message["msg"].lstrip("\ufeff ") if len(wanted) < 100 else text
    check_equal(got_text.rstrip(" "), text.rstrip(" "), f"{what}: MSG")

    alarm = message["sd"].get("alarm")
    check_equal(alarm is not None, event["action"] != "update", f"{what}: alarm {alarm}")
    if alarm:
        cleared = alarm["perceivedSeverity"] == "cleared"
        check_equal(cleared, event["action"] == "clear", f"{what}: perceivedSeverity")
    return int(message["sd"]["meta"]["sequenceId"])


def judge(scratch, binary, name, certificates):
    receiver = judge_of(name, scratch, certificates)
    sinks = [("syslog", {"target": target, "hostname": "lab", **more})
             for target, more in (receiver.targets[t] for t in TRANSPORTS)]
    feed = Feed(scratch, binary, sinks, store=scratch.file(f"store-{name}"),
                arguments=["--samples", "--rate", "100"], name=f"feed-{name}")
    events = feed.events()
    check_equal(sorted(documented_types() - {e["type"] for e in events}), [],
                "types that are documented and not among the samples")
    for transport in TRANSPORTS:
        wait_for(lambda t=transport: len(receiver.messages(t)) >= len(events), 90,
                 f"{name} has every event by {transport}",
                 lambda t=transport: f"{len(receiver.messages(t))} of {len(events)}; {feed.sinks()}")
        messages = receiver.messages(transport)
        check_equal(len(messages), len(events), f"messages of {name} by {transport}")
        sequence = [check_message(f"{name}, {transport}, {e['type']} {e['id'][:8]}", m, e)
                    for m, e in zip(messages, events)]
        check_equal(sequence, list(range(1, len(events) + 1)), f"sequenceId by {transport}")
        print(f"{name} understood {len(messages)} messages by {transport}")
    feed.process.stop()
    receiver.process.stop()


def judges(scratch, binary):
    certificates = Certificates(scratch)
    judge(scratch, binary, "rsyslog", certificates)
    judge(scratch, binary, "syslog-ng", certificates)


run(judges, __doc__)
