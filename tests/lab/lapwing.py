"""The program under test: its configuration, its life, its API and its events."""

import http.client
import json
import os
import signal
import subprocess
import urllib.parse
from dataclasses import dataclass, field

from process import LabError, free_port, wait_for


@dataclass
class Neighbor:
    """One [[neighbor]] table. `extra`: further keys, values as TOML text."""
    name: str
    address: str
    peer_as: int
    port: int = 179
    local_address: str = ""
    passive: bool = False
    extra: dict = field(default_factory=dict)

    def toml(self):
        keys = {"name": quote(self.name), "address": quote(self.address), "peer-as": self.peer_as,
                "port": self.port, "passive": "true" if self.passive else "false",
                "hold-time": 30, "connect-retry": 1}
        if self.local_address:
            keys["local-address"] = quote(self.local_address)
        keys.update(self.extra)
        return "[[neighbor]]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())


def quote(text):
    return json.dumps(text)


class Lapwing:
    """`syslog`: targets, in order. `watch_origins`: [watch] origins. `extra`: further TOML text.

    `store`: where its database lies.
    """

    def __init__(self, scratch, binary, *, local_as, neighbors, listen=None, syslog=(),
                 watch_origins=(), extra="", name="lapwing", store=None):
        self.name = name
        self.binary = binary
        self.local_as = local_as
        self.neighbors = neighbors
        self.listen = listen or [f"127.0.0.1:{free_port()}"]
        self.syslog = list(syslog)
        self.watch_origins = list(watch_origins)
        self.extra = extra
        self.storage_extra = ""  # TOML text of [storage] and [http]
        self.http_extra = ""
        self.http_listen = []
        self.http_port = free_port()
        self.process = None
        self._scratch = scratch
        self._config = scratch.file(f"{name}.toml")
        self._jsonl = scratch.file(f"{name}.jsonl")
        self._store = store or scratch.file(f"{name}.db")
        self.socket = scratch.file(f"{name}.sock")

    @property
    def config_path(self):
        return self._config

    @property
    def api_url(self):
        return f"http://127.0.0.1:{self.http_port}"

    def write_config(self):
        def array(values):
            return "[" + ", ".join(json.dumps(v) for v in values) + "]"
        text = f"""\
[speaker]
local-as  = {self.local_as}
router-id = "192.0.2.100"
listen    = {array(self.listen)}

{chr(10).join(n.toml() for n in self.neighbors)}
[storage]
path = {quote(self._store)}
{self.storage_extra}

[http]
listen = {array([f"127.0.0.1:{self.http_port}", "unix:" + self.socket, *self.http_listen])}
{self.http_extra}

[[sink.jsonl]]
path = {quote(self._jsonl)}
"""
        if self.watch_origins:
            text += f"\n[watch]\norigins = {array(self.watch_origins)}\n"
        for target in self.syslog:
            text += f"\n[[sink.syslog]]\ntarget = {quote(target)}\n"
        text += self.extra
        with open(self._config, "w") as out:
            out.write(text)

    def start(self):
        self.write_config()
        self.process = self._scratch.start(self.name, [self.binary, "run", "-c", self._config])
        wait_for(self._is_ready, 15, f"{self.name} is ready", self.process.log)
        return self

    def stop(self):
        """SIGTERM; LabError unless it ends cleanly within five seconds."""
        self.process.signal(signal.SIGTERM)
        code = self.process.wait(5)
        if code != 0:
            raise LabError(f"{self.name} ended with {code}; its output:\n{self.process.log()}")

    def kill9(self):
        self.process.kill()

    def cli(self, *words, seconds=30):
        """`lapwing WORDS` over the Unix socket: a subprocess.CompletedProcess."""
        return subprocess.run([self.binary, *words, "--api", "unix:" + self.socket],
                              capture_output=True, text=True, timeout=seconds)

    def get(self, path, **query):
        """(status, body) of /api/v1/PATH; the body as parsed JSON, or as text where it is none."""
        return self.get_raw("/api/v1/" + path, **query)

    def get_raw(self, path, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(body)
        except ValueError:
            return answer.status, body

    def status(self):
        return self.get("status")[1]

    def peers(self):
        """{name: the peer's JSON}."""
        return {p["name"]: p for p in self.get("peers")[1]["peers"]}

    def routes(self, peer=None, prefix=None, match="exact"):
        """{(peer, prefix): (AS path as text, stale)} of all stored routes that match."""
        query = {"limit": 50000}
        if prefix:
            query.update(prefix=prefix, match=match)
        if peer:
            query["peer"] = peer
        found = {}
        for row in self.get("routes", **query)[1]["routes"]:
            found[row["peer"], row["prefix"]] = (row["as_path"], row["stale"])
        return found

    def event_lines(self):
        """The whole lines of the JSON lines file so far, as text."""
        if not os.path.exists(self._jsonl):
            return []
        with open(self._jsonl) as source:
            text = source.read()
        return [line for line in text[:text.rfind("\n") + 1].splitlines() if line]

    def events(self):
        """All events of the JSON lines file so far."""
        return [json.loads(line) for line in self.event_lines()]

    def detection_events(self):
        """The events about routes: without those about sessions and about Lapwing itself."""
        return [e for e in self.events() if e["type"].startswith(
            ("new-upstream", "upstream-", "single-homed", "path-change"))]

    def wait_routes(self, count, seconds=15, stale=0):
        """Until all Adj-RIB-Ins hold `count` routes, `stale` of them stale, all on disk."""
        def settled():
            self.process.check_alive()
            status = self.status()
            held = sum(p["stale"] for p in self.peers().values())
            return status["routes"] == count and held == stale and status["store_pending"] == 0
        wait_for(settled, seconds, f"{count} routes, {stale} of them stale, all stored",
                 lambda: f"status {self.status()}\npeers {self.peers()}\n{self.process.log()}")

    def wait_established(self, seconds=15):
        def up():
            self.process.check_alive()
            return all(p["state"] == "Established" for p in self.peers().values())
        wait_for(up, seconds, "all sessions are established",
                 lambda: f"peers {self.peers()}\n{self.process.log()}")

    def _is_ready(self):
        self.process.check_alive()
        try:
            return self.get_raw("/readyz")[0] == 200
        except OSError:
            return False
