"""Writes MRT files (RFC 6396) from a readable description: tables, UPDATEs and session states.

Every length is computed. Times are seconds since the epoch, fractions allowed: messages are written
as BGP4MP_ET, tables as TABLE_DUMP_V2. An AS path is a sequence of ASNs, a set of ASNs in it being
an AS_SET segment.
"""

import ipaddress
import struct
from dataclasses import dataclass

TABLE_DUMP_V2, BGP4MP_ET = 13, 17
PEER_INDEX_TABLE, RIB_IPV4_UNICAST, RIB_IPV6_UNICAST = 1, 2, 4
STATE_CHANGE_AS4, MESSAGE_AS4 = 5, 4
ESTABLISHED, IDLE = 6, 1

ORIGIN, AS_PATH, NEXT_HOP, MP_REACH_NLRI, MP_UNREACH_NLRI = 1, 2, 3, 14, 15
TRANSITIVE, OPTIONAL, EXTENDED_LENGTH = 0x40, 0x80, 0x10


@dataclass(frozen=True)
class Peer:
    asn: int
    address: str
    local_as: int = 64512
    local_address: str = "192.0.2.100"


def nlri(prefix):
    net = ipaddress.ip_network(prefix)
    return bytes([net.prefixlen]) + net.network_address.packed[:(net.prefixlen + 7) // 8]


def attribute(flags, kind, value):
    if len(value) > 255:
        return struct.pack("!BBH", flags | EXTENDED_LENGTH, kind, len(value)) + value
    return struct.pack("!BBB", flags, kind, len(value)) + value


def as_path(path):
    """AS_PATH with four-octet ASNs: runs of ASNs as AS_SEQUENCE, each set as AS_SET."""
    out, run = b"", []

    def segment(kind, asns):
        return struct.pack("!BB", kind, len(asns)) + b"".join(struct.pack("!I", a) for a in asns)

    for hop in path:
        if isinstance(hop, (set, frozenset)):
            if run:
                out, run = out + segment(2, run), []
            out += segment(1, sorted(hop))
        else:
            run.append(hop)
    return out + (segment(2, run) if run else b"")


def is_ipv6(prefix):
    return ":" in prefix


def attributes(path, next_hop4=None):
    out = attribute(TRANSITIVE, ORIGIN, b"\0") + attribute(TRANSITIVE, AS_PATH, as_path(path))
    if next_hop4:
        out += attribute(TRANSITIVE, NEXT_HOP, ipaddress.ip_address(next_hop4).packed)
    return out


def update(path=None, announce=(), withdraw=(), next_hop4="192.0.2.250",
           next_hop6="2001:db8:ffff::250"):
    """A whole BGP UPDATE; with nothing to say it is the End-of-RIB of IPv4 unicast."""
    v6_reach = b"".join(nlri(p) for p in announce if is_ipv6(p))
    v6_unreach = b"".join(nlri(p) for p in withdraw if is_ipv6(p))
    v4_reach = b"".join(nlri(p) for p in announce if not is_ipv6(p))
    v4_unreach = b"".join(nlri(p) for p in withdraw if not is_ipv6(p))
    attrs = b""
    if v6_reach:
        hop = ipaddress.ip_address(next_hop6).packed
        attrs += attribute(OPTIONAL, MP_REACH_NLRI,
                           struct.pack("!HBB", 2, 1, len(hop)) + hop + b"\0" + v6_reach)
    if v6_unreach:
        attrs += attribute(OPTIONAL, MP_UNREACH_NLRI, struct.pack("!HB", 2, 1) + v6_unreach)
    if announce:
        attrs += attributes(path, next_hop4 if v4_reach else None)
    body = struct.pack("!H", len(v4_unreach)) + v4_unreach
    body += struct.pack("!H", len(attrs)) + attrs + v4_reach
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), 2) + body


class MrtWriter:
    def __init__(self):
        self._out = bytearray()

    def data(self):
        return bytes(self._out)

    def save(self, path):
        with open(path, "wb") as out:
            out.write(self._out)

    def table(self, time, peers, routes, collector="192.0.2.100", view="lapwing"):
        """A whole table. `routes`: {prefix: {index into peers: path}}."""
        index = ipaddress.ip_address(collector).packed
        index += struct.pack("!H", len(view)) + view.encode() + struct.pack("!H", len(peers))
        for peer in peers:
            address = ipaddress.ip_address(peer.address)
            router_id = address.packed if address.version == 4 else b"\xc0\0\x02\x01"
            index += struct.pack("!B", 2 | (1 if address.version == 6 else 0)) + router_id
            index += address.packed + struct.pack("!I", peer.asn)
        self._record(time, TABLE_DUMP_V2, PEER_INDEX_TABLE, index)
        for sequence, (prefix, by_peer) in enumerate(routes.items()):
            entries = b""
            for number, path in sorted(by_peer.items()):
                attrs = attributes(path, None if is_ipv6(prefix) else "192.0.2.250")
                if is_ipv6(prefix):  # RFC 6396 4.3.4: next hop only
                    hop = ipaddress.ip_address("2001:db8:ffff::250").packed
                    attrs += attribute(OPTIONAL, MP_REACH_NLRI, bytes([len(hop)]) + hop)
                entries += struct.pack("!HIH", number, int(time), len(attrs)) + attrs
            body = struct.pack("!I", sequence) + nlri(prefix)
            body += struct.pack("!H", len(by_peer)) + entries
            self._record(time, TABLE_DUMP_V2,
                         RIB_IPV6_UNICAST if is_ipv6(prefix) else RIB_IPV4_UNICAST, body)

    def message(self, time, peer, octets):
        self._bgp4mp(time, peer, MESSAGE_AS4, octets)

    def update(self, time, peer, path=None, announce=(), withdraw=()):
        self.message(time, peer, update(path, announce, withdraw))

    def state(self, time, peer, old, new):
        self._bgp4mp(time, peer, STATE_CHANGE_AS4, struct.pack("!HH", old, new))

    def _bgp4mp(self, time, peer, subtype, body):
        remote, local = (ipaddress.ip_address(a) for a in (peer.address, peer.local_address))
        head = struct.pack("!IIHH", peer.asn, peer.local_as, 0, 2 if remote.version == 6 else 1)
        self._record(time, BGP4MP_ET, subtype, head + remote.packed + local.packed + body)

    def _record(self, time, kind, subtype, body):
        seconds, micros = divmod(round(time * 1_000_000), 1_000_000)
        if kind == BGP4MP_ET:
            body = struct.pack("!I", micros) + body
        self._out += struct.pack("!IHHI", seconds, kind, subtype, len(body)) + body
