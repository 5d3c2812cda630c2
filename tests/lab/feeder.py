"""Feeds a router with a table over a BGP session, so that the router has something to pass on."""

import ipaddress
import socket
import struct
import threading

from process import LabError
from speaker import KEEPALIVE, UPDATE, Speaker, message

NEXT_HOP4 = "192.0.2.250"
NEXT_HOP6 = "2001:db8:ffff::250"
MAX_MESSAGE = 4000


def attribute(flags, kind, value):
    if len(value) > 255:
        return struct.pack("!BBH", flags | 0x10, kind, len(value)) + value
    return struct.pack("!BBB", flags, kind, len(value)) + value


def nlri(prefix):
    net = ipaddress.ip_network(prefix)
    return bytes([net.prefixlen]) + net.network_address.packed[:(net.prefixlen + 7) // 8]


def chunks(prefixes, room):
    """NLRI of the prefixes, in pieces that fit."""
    piece = b""
    for prefix in prefixes:
        one = nlri(prefix)
        if len(piece) + len(one) > room:
            yield piece
            piece = b""
        piece += one
    if piece:
        yield piece


def updates(routes):
    """UPDATE messages that announce {prefix: path}, a path being all ASNs, the feeder's first."""
    by_path = {}
    for prefix, path in routes.items():
        by_path.setdefault((":" in prefix, tuple(path)), []).append(prefix)
    for (ipv6, path), prefixes in by_path.items():
        as_path = struct.pack("!BB", 2, len(path)) + b"".join(struct.pack("!I", a) for a in path)
        shared = attribute(0x40, 1, b"\0") + attribute(0x40, 2, as_path if path else b"")
        for piece in chunks(prefixes, MAX_MESSAGE - len(shared) - 100):
            if ipv6:
                hop = socket.inet_pton(socket.AF_INET6, NEXT_HOP6)
                attributes = attribute(0x80, 14, struct.pack("!HBB", 2, 1, 16) + hop + b"\0" + piece)
                attributes += shared
                tail = b""
            else:
                attributes = shared + attribute(0x40, 3, socket.inet_aton(NEXT_HOP4))
                tail = piece
            yield message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + tail)


def update24(path, numbers):
    """One UPDATE that announces /24s, given by their 24 bits: for large tables."""
    as_path = struct.pack("!BB", 2, len(path)) + b"".join(struct.pack("!I", a) for a in path)
    attributes = (attribute(0x40, 1, b"\0") + attribute(0x40, 2, as_path)
                  + attribute(0x40, 3, socket.inet_aton(NEXT_HOP4)))
    tail = b"".join(b"\x18" + n.to_bytes(3, "big") for n in numbers)
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + tail)


def withdrawals(prefixes):
    for piece in chunks([p for p in prefixes if ":" not in p], MAX_MESSAGE - 30):
        yield message(UPDATE, struct.pack("!H", len(piece)) + piece + b"\0\0")
    for piece in chunks([p for p in prefixes if ":" in p], MAX_MESSAGE - 40):
        attributes = attribute(0x80, 15, struct.pack("!HB", 2, 1) + piece)
        yield message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes)


class Feeder:
    """Connects to the router and keeps the session alive until `close`."""

    def __init__(self, *, asn, address, peer_address, peer_port, router_id):
        self.asn = asn
        self.routes = {}
        self._speaker = Speaker(asn=asn, address=address, peer_address=peer_address,
                                peer_port=peer_port, router_id=router_id)
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._keeper = threading.Thread(target=self._keep_alive, daemon=True)
        self._keeper.start()

    def set_routes(self, routes):
        """Announces what is new or changed, withdraws what is gone. Paths begin with our own ASN."""
        gone = [p for p in self.routes if p not in routes]
        fresh = {p: path for p, path in routes.items() if self.routes.get(p) != path}
        self._send(b"".join(withdrawals(gone)) + b"".join(updates(fresh)))
        self.routes = dict(routes)

    def close(self):
        self._end.set()
        self._speaker.close()

    def _send(self, octets):
        if self._speaker.closed:
            raise LabError("the router ended the feeder's session")
        with self._lock:
            self._speaker.send(octets)

    def _keep_alive(self):
        while not self._end.wait(5):
            try:
                self._send(message(KEEPALIVE))
            except (OSError, LabError):
                return
