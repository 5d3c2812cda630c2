#!/usr/bin/env python3
"""journalctl finds every event in systemd's journal by its fields, and its fields are the event's.

Each type and hostile values; then journald is away while 2,000 events arise, and gets them all.
"""

from case import ORIGIN, check, check_equal, run, wait_for
from feed import SEVERITIES, Feed, params_of, printable
from journald import Journald

COUNT = 2000


def check_entry(entry, event):
    what = f"{event['type']} {event['id'][:8]}"
    check_equal(entry["MESSAGE"], event["summary"], f"{what}: MESSAGE")
    check_equal(int(entry["PRIORITY"]), SEVERITIES.index(event["severity"]), f"{what}: PRIORITY")
    check_equal(entry["SYSLOG_IDENTIFIER"], "lapwing", f"{what}: SYSLOG_IDENTIFIER")
    check_equal(entry["LAPWING_RULE"], event["rule"], f"{what}: LAPWING_RULE")
    wanted = {"LAPWING_" + name.upper(): value for name, value in params_of(event)}
    wanted.update((f"LAPWING_{k.upper()}", event[k]) for k in ("type", "severity", "time", "cause"))
    got = {name: printable(value) for name, value in entry.items() if name.startswith("LAPWING_")}
    del got["LAPWING_RULE"]
    check_equal(got, wanted, f"{what}: fields")


def start(scratch, binary, journald, name, *arguments):
    sink = {"socket": journald.socket, "longest-pause": 1, "name": "journald"}
    return Feed(scratch, binary, [("journald", sink)], store=scratch.file(f"store-{name}"),
                arguments=[*arguments, "--until-delivered"], name=f"feed-{name}")


def journal(scratch, binary):
    journald = Journald(scratch).start()
    feed = start(scratch, binary, journald, "samples", "--samples", "--rate", "100")
    feed.wait_delivered()
    events = feed.events()
    wait_for(lambda: len(journald.entries("SYSLOG_IDENTIFIER=lapwing")) >= len(events), 20,
             "every event in the journal")
    entries = journald.entries("SYSLOG_IDENTIFIER=lapwing")
    check_equal([e["LAPWING_ID"] for e in entries], [e["id"] for e in events], "events, in order")
    for entry, event in zip(entries, events):
        check_entry(entry, event)
    mine = [e["id"] for e in events if e.get("origin_as") == ORIGIN]
    check(len(mine) > 20, "events of the origin")
    check_equal([e["LAPWING_ID"] for e in journald.entries(f"LAPWING_ORIGIN_AS={ORIGIN}")], mine,
                f"journalctl LAPWING_ORIGIN_AS={ORIGIN}")
    check_equal(journald.entries("LAPWING_ORIGIN_AS=13127"), [], "another origin")
    raised = [e["id"] for e in events if (e["type"], e["action"]) == ("new-upstream", "raise")]
    check_equal([e["LAPWING_ID"] for e in
                 journald.entries("LAPWING_TYPE=new-upstream", "LAPWING_ACTION=raise")], raised,
                "by type and action")
    print(f"journalctl shows {len(entries)} events as they are")

    journald.stop()
    feed = start(scratch, binary, journald, "outage", "--count", str(COUNT))
    feed.events()
    wait_for(lambda: any(s["retries"] >= 2 and s["cursor"] == 0 for s in feed.lines("sink")), 30,
             "the sink has tried in vain", feed.tail)
    journald.start()
    feed.wait_delivered()
    wanted = [e["id"] for e in feed.events()]
    check_equal(len(wanted), COUNT, "events of the outage")

    def late():
        return [e["LAPWING_ID"] for e in journald.entries("SYSLOG_IDENTIFIER=lapwing")][len(events):]
    wait_for(lambda: len(late()) >= COUNT, 30, "every event of the outage", lambda: str(len(late())))
    check_equal(late() == wanted, True, "events of the outage, once, in order")
    print(f"{COUNT} events of an outage arrived when journald was back")


run(journal, __doc__)
