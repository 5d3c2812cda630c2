#!/usr/bin/env python3
"""A client of RIS Live on a running collector: by WebSocket and by HTTP, routes and sessions."""

import http.client
import json
import os
import socket
import struct
import urllib.parse

from case import COLLECTOR_AS, Lapwing, Neighbor, check, check_equal, free_port, run
from speaker import END_OF_RIB4, UPDATE, Speaker, message

AS_SET_PATH = struct.pack("!BBIIBBII", 2, 2, 64501, 65010, 1, 2, 65022, 65021)


def update(withdrawn=b"", nlri=b""):
    attributes = b""
    if nlri:
        attributes = (bytes([0x40, 1, 1, 2]) + bytes([0x40, 2, len(AS_SET_PATH)]) + AS_SET_PATH
                      + bytes([0x40, 3, 4]) + socket.inet_aton("192.0.2.1")
                      + bytes([0xc0, 8, 4]) + struct.pack("!HH", 64501, 7))
    return message(UPDATE, struct.pack("!H", len(withdrawn)) + withdrawn
                   + struct.pack("!H", len(attributes)) + attributes + nlri)


class WebSocket:
    """RFC 6455 as far as a client of short text messages needs it."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._socket.sendall(b"GET /v1/ws/?client=interop HTTP/1.1\r\nHost: localhost\r\n"
                             b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                             b"Sec-WebSocket-Version: 13\r\n"
                             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self._file = self._socket.makefile("rb")
        check(b" 101 " in self._file.readline(), "the handshake is taken")
        while self._file.readline().strip():
            pass

    def say(self, kind, data=None):
        text = json.dumps({"type": kind, "data": data}).encode()
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(text))
        short = len(text) < 126
        head = struct.pack("!BB", 0x81, 0x80 | (len(text) if short else 126))
        self._socket.sendall(head + (b"" if short else struct.pack("!H", len(text))) + mask + masked)

    def hear(self, kind):
        """The next message of that type."""
        while True:
            _, size = struct.unpack("!BB", self._file.read(2))
            if size == 126:
                size, = struct.unpack("!H", self._file.read(2))
            heard = json.loads(self._file.read(size))
            if heard["type"] == kind:
                return heard["data"]


def ris(scratch, binary):
    port = free_port()
    neighbor = Neighbor("feeder", "127.0.0.1", 64501, passive=True)
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=[neighbor],
                      listen=[f"127.0.0.1:{port}"]).start()
    client = WebSocket(lapwing.http_port)
    client.say("ris_subscribe", {"path": "65010", "socketOptions": {"acknowledge": True}})
    client.hear("ris_subscribe_ok")
    client.say("ris_subscribe", {"type": "RIS_PEER_STATE", "socketOptions": {"acknowledge": True}})
    client.hear("ris_subscribe_ok")
    withdrawals = http.client.HTTPConnection("127.0.0.1", lapwing.http_port, timeout=30)
    withdrawals.request("GET", "/v1/stream/?format=json&" + urllib.parse.urlencode(
        {"subscribe": json.dumps({"require": "withdrawals", "prefix": "10.0.0.0/8"})}))
    lines = withdrawals.getresponse()

    feeder = Speaker(asn=64501, address="127.0.0.1", peer_address="127.0.0.1", peer_port=port,
                     router_id="192.0.2.1")
    up = client.hear("ris_message")
    check_equal((up["type"], up["state"], up["peer"]), ("RIS_PEER_STATE", "connected", "127.0.0.1"),
                "the session is up")
    prefixes = bytes([16, 10, 1, 24, 10, 2, 3])
    feeder.send(update(nlri=prefixes))
    feeder.send(END_OF_RIB4)
    told = client.hear("ris_message")
    wanted = {"peer": "127.0.0.1", "peer_asn": "64501", "peer_name": "feeder", "type": "UPDATE",
              "path": [64501, 65010, [65021, 65022]], "community": [[64501, 7]],
              "origin": "incomplete",
              "announcements": [{"next_hop": "192.0.2.1", "prefixes": ["10.1.0.0/16", "10.2.3.0/24"]}]}
    check_equal({name: told.get(name) for name in wanted}, wanted, "one message for one UPDATE")
    check(isinstance(told["timestamp"], float) and told["id"] and told["host"], f"{told}")
    feeder.send(update(nlri=prefixes))  # nothing changes, nothing is told
    feeder.send(update(withdrawn=prefixes))
    check_equal(json.loads(lines.readline())["data"]["withdrawals"], ["10.1.0.0/16", "10.2.3.0/24"],
                "the withdrawal, by HTTP")
    feeder.close()
    check_equal(client.hear("ris_message")["state"], "down", "the session is down")


run(ris, __doc__)
