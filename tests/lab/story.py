"""Plays the story of tests/replay/star_jv_2017.py in fast motion: three BIRDs, Lapwing, rsyslog.

Each step reconfigures the BIRDs and waits until rsyslog has received what must come of it. At the
end all events are judged against the published facts.
"""

import argparse
import os
import sys
import textwrap
import time
from datetime import datetime, timedelta, timezone

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "replay"))

import star_jv_2017 as facts  # noqa: E402
from bird import Bird  # noqa: E402
from lapwing import Lapwing, Neighbor  # noqa: E402
from process import LabError, Scratch, free_port, wait_for  # noqa: E402
from rsyslog import Rsyslog, sd_of  # noqa: E402

COLLECTOR_AS = 64512
# A little more than the second for which changes of a watched origin are collected.
QUIET = 1.2


def say(text="", indent=""):
    print(textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent), flush=True)


class Story:
    def __init__(self, scratch, binary):
        self.scratch = scratch
        self.background = facts.background()
        self.rsyslog = Rsyslog(scratch)
        listen = free_port()
        self.birds = []
        neighbors = []
        for number, vantage in enumerate(facts.VANTAGES):
            address = f"127.0.0.{11 + number}"
            port = free_port(address)
            self.birds.append(Bird(
                scratch, vantage.name, local_as=vantage.asn, address=address, port=port,
                peer_as=COLLECTOR_AS, peer_address="127.0.0.1", peer_port=listen,
                router_id=vantage.address, routes=self.table(number, facts.ALL_OLD)))
            neighbors.append(Neighbor(vantage.name, address, vantage.asn, port=port,
                                      local_address="127.0.0.1"))
        self.lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=neighbors,
                               listen=[f"127.0.0.1:{listen}"],
                               syslog=[self.rsyslog.target("tcp")],
                               watch_origins=[facts.ORIGIN])
        self.shown = 0
        self.started = []

    def table(self, number, upstreams):
        """What a vantage point announces when each prefix is behind the given upstream."""
        vantage = facts.VANTAGES[number]
        routes = {prefix: paths[number] for prefix, paths in self.background.items()}
        routes.update((prefix, vantage.path(upstream)) for prefix, upstream in upstreams.items())
        return routes

    def start(self):
        say("== Starting rsyslog, three BIRDs and Lapwing on loopback")
        self.rsyslog.start()
        for bird in self.birds:
            bird.start()
        self.lapwing.start()
        total = sum(len(bird.routes) for bird in self.birds)
        self.lapwing.wait_routes(total)
        self.settle()
        peers = ", ".join(f"{b.name} (AS{b.local_as})" for b in self.birds)
        say(f"{peers}: {total} routes in all, the four of AS{facts.ORIGIN} behind AS{facts.OLD}. "
            f"This first table is the baseline: it teaches, it does not alarm.")
        early = [e["summary"] for e in self.lapwing.detection_events()]
        if early:
            raise LabError(f"events from the baseline: {early}")

    def play(self):
        for number, step in enumerate(facts.STEPS, 1):
            self.started.append(datetime.now(timezone.utc))
            say()
            chosen = "" if step.published else "  (minute chosen by this lab, not published)"
            say(f"== {step.time:%Y-%m-%d %H:%M:%S} UTC  {step.text}{chosen}")
            say(f"played at {self.started[-1]:%H:%M:%S.%f}, step {number} of {len(facts.STEPS)}",
                "   ")
            for vantage, bird in enumerate(self.birds):
                bird.set_routes(self.table(vantage, step.routes))
            self.wait_step(number - 1)
            self.show()

    def wait_step(self, number):
        """Until Lapwing holds the new tables and rsyslog has what the step must bring."""
        self.lapwing.wait_routes(sum(len(bird.routes) for bird in self.birds))

        def complete():
            events = self.lapwing.detection_events()
            starts = self.started + [datetime.max.replace(tzinfo=timezone.utc)]
            return not facts.judge_step(number, facts.by_step(events, starts)[number])

        try:
            wait_for(complete, 10, "the events of this step")
        except LabError:
            say("Not what must come of it, even after 10 s.", "   ")
        self.settle()

    def settle(self):
        """Until no message has come for a while: none of a step may fall into the next."""
        seen, quiet_since = -1, 0.0
        while seen != len(self.rsyslog.lines()) or time.monotonic() - quiet_since < QUIET:
            if seen != len(self.rsyslog.lines()):
                seen, quiet_since = len(self.rsyslog.lines()), time.monotonic()
            time.sleep(0.05)

    def show(self):
        lines = self.rsyslog.lines()
        for line in lines[self.shown:]:
            print(textwrap.fill(line, 100, initial_indent="   rsyslog: ",
                                subsequent_indent="            ", break_long_words=False,
                                break_on_hyphens=False), flush=True)
        if len(lines) == self.shown:
            say("(no event)", "   ")
        self.shown = len(lines)

    def messages(self):
        return self.rsyslog.messages()

    def judge(self):
        say()
        say("== Verdict")
        events = self.lapwing.detection_events()
        problems = facts.judge(events, self.started)
        sent = [e["id"] for e in self.lapwing.events()]
        wait_for(lambda: len(self.messages()) >= len(sent), 5, "rsyslog has every event")
        received = list(dict.fromkeys(sd_of(m).get("id") for m in self.messages()))
        if received != sent:
            problems.append(f"rsyslog received other events than the journal holds:\n"
                            f"    journal: {sent}\n    rsyslog: {received}")
        self.lapwing.stop()
        for problem in problems:
            print(f"WRONG: {problem}")
        if problems:
            return 1
        say(f"{len(events)} events, as the published facts demand: one new upstream, "
            f"AS{facts.NEW} of AS{facts.ORIGIN}, for 3 of its 4 prefixes; gone, back (returned, "
            f"not new), then 2 of 4, then 1 of 4. Nothing else was called new, not even during the "
            f"four outages, and no background route raised anything.")
        return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    say("The morning of 1 October 2017, and the next one, in fast motion. The prefixes, upstreams "
        "and times are the published ones; the exact minutes of the four outages and the AS paths "
        "left of the upstreams are not published and were chosen for this lab.")
    began = time.monotonic()
    try:
        with Scratch(args.keep) as scratch:
            story = Story(scratch, args.binary)
            story.start()
            story.play()
            code = story.judge()
    except LabError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    say(f"({timedelta(seconds=round(time.monotonic() - began))} in all)")
    return code


if __name__ == "__main__":
    sys.exit(main())
