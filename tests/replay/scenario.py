"""A scenario: published facts as a small text that a reader can check, made into an MRT file.

    # Comment.
    watch origins 36561
    watch prefixes 208.65.152.0/22
    peer A 64501                        a neighbour, by name and AS; its address is made
    table 2008-02-24T18:00:00Z          the first table, from here to the first `at`
    A has 208.65.152.0/22 via 3549 36561        the path begins after the neighbour's own AS
    at 2008-02-24T18:47:45Z             what happens then, in this order
    A announces 208.65.153.0/24 via 3491 17557
    A withdraws 208.65.153.0/24
    A down
    A up
    A clock -7200                       from here on its records are stamped two hours early
    all announces …                     each neighbour, in order
    expect more-specific origin_as=17557 action=raise      such an event at this second
    expect nothing                      no event at all between this `at` and the next

`expect` compares members of the event as JSON without quotes: prefixes=[208.65.153.0/24] moas=true.
"""

import json
import shlex
from dataclasses import dataclass, field
from datetime import datetime, timezone

from mrt import ESTABLISHED, IDLE, MrtWriter, Peer


class ScenarioError(Exception):
    pass


@dataclass
class Moment:
    """One `at` (or the `table`), with its lines and what is expected of it."""
    time: datetime
    lines: list = field(default_factory=list)
    expect: list = field(default_factory=list)


class Scenario:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.peers = {}
        self.watch = {"origins": [], "prefixes": [], "ases": []}
        self.moments = []
        for number, text in enumerate(path.read_text().splitlines(), 1):
            words = shlex.split(text, comments=True)
            if not words:
                continue
            try:
                self._read(words)
            except (ValueError, KeyError, IndexError) as error:
                raise ScenarioError(f"{path.name}:{number}: {text.strip()}: {error}") from error

    def _read(self, words):
        if words[0] == "watch":
            self.watch[words[1]] += words[2:]
        elif words[0] == "peer":
            self.peers[words[1]] = Peer(int(words[2]), f"192.0.2.{len(self.peers) + 11}")
        elif words[0] in ("table", "at"):
            time = datetime.fromisoformat(words[1].replace("Z", "+00:00"))
            if (words[0] == "table") != (not self.moments):
                raise ValueError("a scenario has one table, before anything else")
            if self.moments and time < self.moments[-1].time:
                raise ValueError("time steps back")
            self.moments.append(Moment(time.astimezone(timezone.utc)))
        elif words[0] == "expect":
            self.moments[-1].expect.append(words[1:])
        else:
            self.moments[-1].lines.append(self._action(words))

    def _action(self, words):
        """(names of neighbours, verb, prefixes, path)"""
        names = list(self.peers) if words[0] == "all" else [words[0]]
        for name in names:
            self.peers[name]  # KeyError: no such neighbour
        verb, rest = words[1], words[2:]
        if verb == "clock":
            return names, verb, int(rest[0]), ()
        if verb not in ("has", "announces", "withdraws", "down", "up"):
            raise ValueError(f"no verb: {verb}")
        if verb in ("has", "announces"):
            at = rest.index("via")
            return names, verb, rest[:at], tuple(int(a) for a in rest[at + 1:])
        return names, verb, rest, ()

    def config(self):
        numbers = ", ".join(self.watch["origins"])
        ases = ", ".join(self.watch["ases"])
        return (f"[watch]\norigins = [{numbers}]\nases = [{ases}]\n"
                f"prefixes = {json.dumps(self.watch['prefixes'])}\n")

    def write_mrt(self, target):
        writer = MrtWriter()
        numbers = {name: n for n, name in enumerate(self.peers)}
        table = {}
        for names, verb, prefixes, path in self.moments[0].lines:
            if verb != "has":
                raise ScenarioError(f"{self.path.name}: in a table a neighbour \"has\" routes")
            for name in names:
                for prefix in prefixes:
                    table.setdefault(prefix, {})[numbers[name]] = (self.peers[name].asn, *path)
        writer.table(self.moments[0].time.timestamp(), list(self.peers.values()), table)
        clocks = {}
        for moment in self.moments[1:]:
            for names, verb, prefixes, path in moment.lines:
                for peer in (self.peers[name] for name in names):
                    stamp = moment.time.timestamp() + clocks.get(peer.address, 0)
                    if verb == "clock":
                        clocks[peer.address] = prefixes
                    elif verb == "announces":
                        writer.update(stamp, peer, (peer.asn, *path), prefixes)
                    elif verb == "withdraws":
                        writer.update(stamp, peer, withdraw=prefixes)
                    elif verb in ("down", "up"):
                        states = (ESTABLISHED, IDLE) if verb == "down" else (IDLE, ESTABLISHED)
                        writer.state(stamp, peer, *states)
                    else:
                        raise ScenarioError(f"{self.path.name}: \"{verb}\" stands in no table")
        writer.save(target)

    def judge(self, events):
        """Compares the events with what is expected; a list of problems."""
        problems = []
        for number, moment in enumerate(self.moments):
            stamp = f"{moment.time:%Y-%m-%dT%H:%M:%S}"
            later = self.moments[number + 1:]
            end = f"{later[0].time:%Y-%m-%dT%H:%M:%S}" if later else "9999"
            here = [e for e in events if e["time"][:19] == stamp]
            for wanted in moment.expect:
                if wanted == ["nothing"]:
                    found = [e["summary"] for e in events if stamp <= e["time"][:19] < end]
                    if found:
                        problems.append(f"{stamp}: nothing is expected; reported: {found}")
                elif not any(fits(e, wanted) for e in here):
                    told = [f"{e['type']} {e['action']}: {e['summary']}" for e in here]
                    problems.append(f"{stamp}: expected {' '.join(wanted)}\n    reported: "
                                    + "\n              ".join(told or ["nothing"]))
        return problems


def fits(event, wanted):
    if event["type"] != wanted[0]:
        return False
    for word in wanted[1:]:
        name, _, text = word.partition("=")
        value = event.get(name)
        if text not in (value, json.dumps(value, separators=(",", ":")).replace('"', "")):
            return False
    return True
