"""What every router of the interop lab has: sessions with Lapwing, feeders, and a life.

A subclass writes the configuration, starts the daemon and reads what it says. Routes come from
feeders (feeder.py), so that the router passes them on as a router does.
"""

import os
import signal
from dataclasses import dataclass

from feeder import Feeder
from process import free_port, wait_for


@dataclass
class Session:
    """One session between the router (`address`) and Lapwing (`peer_address`)."""
    name: str
    address: str
    peer_address: str
    peer_as: int
    peer_port: int = 0
    waits: bool = True  # the router waits for Lapwing's connection
    password: str = ""
    ttl_security: bool = False
    add_path: bool = False
    role: str = ""  # the router's
    hold_time: int = 30

    @property
    def ipv6(self):
        return ":" in self.address


@dataclass
class FeederPlace:
    asn: int
    address: str


class Router:
    """`feeders`: where they connect from; `feed` starts them.

    CAN: what its sessions can have; CAPABILITIES: what Lapwing must see in its OPEN. STAYS_DOWN: a
    session that was shut down does not come back by itself. ANSWERS_REFRESH: it sends its table again
    when it is asked to.
    """

    CAN = set()
    CAPABILITIES = []
    STAYS_DOWN = True
    ANSWERS_REFRESH = True
    RESET = "internal"  # the session that is reset

    def __init__(self, scratch, name, *, asn, sessions, router_id="192.0.2.50",
                 feeder_address="127.0.2.99", feeders=()):
        self.scratch = scratch
        self.name = name
        self.asn = asn
        self.sessions = sessions
        self.router_id = router_id
        self.port = free_port("127.0.2.1")
        self.feeder_address = feeder_address
        self.places = list(feeders)
        self.feeders = []
        self.process = None

    def addresses(self):
        return sorted({s.address for s in self.sessions} | {self.feeder_address})

    def session(self, name):
        return next(s for s in self.sessions if s.name == name)

    def internal(self, session):
        return session.peer_as == self.asn

    def feed(self, tables):
        """One feeder for each of `tables`, {prefix: path behind the feeder's ASN}."""
        if not self.feeders:
            self.feeders = [Feeder(asn=place.asn, address=place.address,
                                   peer_address=self.feeder_address, peer_port=self.port,
                                   router_id=f"192.0.2.{200 + n}")
                            for n, place in enumerate(self.places)]
        for feeder, table in zip(self.feeders, tables):
            feeder.set_routes({p: (feeder.asn, *path) for p, path in table.items()})

    def start(self):
        self.write_config()
        self.process = self.scratch.start(self.name, self.command())
        wait_for(self.answers, 15, f"{self.name} answers", self.process.log)
        return self

    def wake(self, session):
        """Ends a waiting time that the router keeps after a session was lost."""

    def seen(self, session, path):
        """The path that Lapwing sees of what a feeder announced with this one."""
        return tuple(path) if self.internal(session) else (self.asn, *path)

    def told(self, session):
        """What the router knows of the end of the last session; nothing where it does not say."""
        return ""

    def shown(self, text):
        """What Lapwing must show of a shutdown with this text: one of these."""
        return (text,)

    def stop(self):
        for feeder in self.feeders:
            feeder.close()
        self.feeders = []
        if self.process:
            self.process.stop()

    def kill(self):
        for feeder in self.feeders:
            feeder.close()
        self.feeders = []
        self.signal(signal.SIGKILL)
        self.process.kill()

    def signal(self, number):
        """To all of its processes: they are a group of their own."""
        os.killpg(self.process.pid, number)
