"""A small BGP neighbour: opens a session, sends what it is told, keeps what it hears.

It exists to see every octet that Lapwing sends, which a real router would hide.
"""

import socket
import struct
import threading
import time

from process import LabError

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16
END_OF_RIB4 = MARKER + struct.pack("!HBHH", 23, UPDATE, 0, 0)
END_OF_RIB6 = MARKER + struct.pack("!HBHH", 29, UPDATE, 0, 6) + b"\x80\x0f\x03\x00\x02\x01"


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(asn, router_id, hold_time=30):
    def capability(code, value=b""):
        return bytes([code, len(value)]) + value

    capabilities = (capability(1, b"\0\1\0\1") + capability(1, b"\0\2\0\1") + capability(2)
                    + capability(65, struct.pack("!I", asn)) + capability(70)
                    + capability(64, b"\0\x78\0\1\1\0\0\2\1\0"))
    parameters = bytes([2, len(capabilities)]) + capabilities
    return message(OPEN, struct.pack("!BHH", 4, min(asn, 23456) if asn > 65535 else asn, hold_time)
                   + socket.inet_aton(router_id) + bytes([len(parameters)]) + parameters)


class Speaker:
    """Connects from `address`, brings a session up. `heard`: all messages, header included.

    `ttl`: of our packets, where it is not the system's.
    """

    def __init__(self, *, asn, address, peer_address, peer_port, router_id, ttl=None):
        self.heard = []
        self.closed = False
        family, kind, _, _, remote = socket.getaddrinfo(peer_address, peer_port,
                                                        type=socket.SOCK_STREAM)[0]
        self._socket = socket.socket(family, kind)
        self._socket.settimeout(5)
        # By getaddrinfo too: a link-local address has a scope.
        self._socket.bind(socket.getaddrinfo(address, 0, type=kind)[0][4])
        self._socket.connect(remote)
        if ttl is not None:
            ipv6 = self._socket.family == socket.AF_INET6
            self._socket.setsockopt(socket.IPPROTO_IPV6 if ipv6 else socket.IPPROTO_IP,
                                    socket.IPV6_UNICAST_HOPS if ipv6 else socket.IP_TTL, ttl)
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if ttl is not None:
            self.wait_for(OPEN)  # only now the other side has prepared the socket it accepted
        self.send(open_message(asn, router_id))
        self.wait_for(OPEN)
        self.send(message(KEEPALIVE))
        self.wait_for(KEEPALIVE)

    def send(self, octets):
        self._socket.sendall(octets)

    def kinds(self):
        return [m[18] for m in self.heard]

    def wait_for(self, kind, seconds=5, count=1):
        deadline = time.monotonic() + seconds
        while self.kinds().count(kind) < count:
            if self.closed or time.monotonic() > deadline:
                raise LabError(f"no message of type {kind} came; heard: {self.kinds()}")
            time.sleep(0.01)

    def close(self):
        self._socket.close()

    def _read(self):
        pending = b""
        try:
            while octets := self._socket.recv(65536):
                pending += octets
                while len(pending) >= 19 and len(pending) >= (size := int.from_bytes(pending[16:18],
                                                                                   "big")):
                    self.heard.append(pending[:size])
                    pending = pending[size:]
        except OSError:
            pass
        self.closed = True
