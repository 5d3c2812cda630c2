"""sink_feed as a process: real events in a real journal, real sinks on it, no router.

Also what every test of the sinks needs: what an event's message must say, a receiver of
octet-counted TCP, and certificates.
"""

import json
import os
import re
import socket
import subprocess
import threading
import unicodedata
from datetime import datetime, timedelta, timezone

from process import LabError, find_program, wait_for

SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
SHARED = ("id", "incident", "type", "action", "severity", "time", "origin_as", "upstream_as",
          "prefixes", "prefix_count", "origin_prefix_count", "peers", "direct", "cause",
          "changed_between", "known_upstreams", "evidence", "rule", "summary")


def printable(text):
    """Control characters are shown as '?'."""
    return "".join("?" if unicodedata.category(c) == "Cc" else c for c in text)


def value_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(printable(str(item)) for item in value)
    return printable(str(value))


def shown_sighting(event):
    for sighting in event["evidence"]:
        if (event["prefixes"] and event["peers"] and sighting["prefix"] == event["prefixes"][0]
                and sighting["peer"] == event["peers"][0]):
            return sighting
    return event["evidence"][0] if event["evidence"] else None


def params_of(event):
    """[(name, value)] of the structured data element, in order (docs/EVENTS.md)."""
    out = [(k, event[k]) for k in ("id", "incident", "action")]
    out += [(k, str(event[k])) for k in ("origin_as", "upstream_as") if k in event]
    sighting = shown_sighting(event)
    if sighting or event["prefixes"]:
        out.append(("prefix", sighting["prefix"] if sighting else event["prefixes"][0]))
    out.append(("prefixes", str(event["prefix_count"])))
    if sighting or event["peers"]:
        out.append(("peer", printable(sighting["peer"] if sighting else event["peers"][0])))
    for name in ("old_path", "new_path"):
        if sighting and sighting[name] is not None:
            out.append((name, printable(sighting[name])))
    return out + [(k, value_text(v)) for k, v in event.items() if k not in SHARED]


class Feed:
    """sink_feed beside the given lapwing. `sinks`: [(kind, {setting: value})]."""

    def __init__(self, scratch, binary, sinks, *, store, arguments=(), name="feed"):
        self.program = os.path.join(os.path.dirname(binary), "..", "tests", "sink_feed")
        if not os.path.exists(self.program):
            raise LabError(f"{self.program} is not built")
        command = [self.program, "--store", store, *arguments]
        for kind, settings in sinks:
            command += ["--sink", kind] + [f"{k}={v}" for k, v in settings.items()]
        self.process = scratch.start(name, command)

    def text(self):
        with open(self.process.log_path, errors="replace") as log:
            return log.read()

    def tail(self):
        return "\n".join(line[:300] for line in self.text().split("\n")[-4:])

    def lines(self, word):
        return [json.loads(line[len(word) + 1:]) for line in self.text().split("\n")
                if line.startswith(word + " ") and line.endswith("}")]

    def events(self, seconds=120):
        """All events, once they are durable."""
        def durable():
            if "\ndurable " in self.text():
                return True
            self.process.check_alive()
            return False
        wait_for(durable, seconds, "the events are durable", self.tail)
        return self.lines("event")

    def sinks(self):
        """{name: newest status}."""
        return {s["name"]: s for s in self.lines("sink")}

    def wait_delivered(self, seconds=180):
        code = self.process.wait(seconds)
        if code != 0:
            raise LabError(f"sink_feed ended with {code}: {self.tail()}")


class TcpReceiver:
    """Reads octet-counted messages of one connection after the other, until `close`."""

    def __init__(self, port, address="127.0.0.1"):
        self.messages = []
        self.connections = 0
        self._listener = socket.create_server((address, port))
        self._connection = None
        self._closing = False
        self._reading = threading.Event()
        self._reading.set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stall(self):
        """Reads no more; its kernel goes on to acknowledge what it has room for."""
        self._reading.clear()

    def close(self):
        """Ends at once: what was not read is lost, as when the receiver is killed."""
        self._closing = True
        self._reading.set()
        for end in (self._listener, self._connection):
            if end:
                try:
                    end.shutdown(socket.SHUT_RD)
                except OSError:
                    pass
                end.close()
        self._thread.join(5)

    def _serve(self):
        while not self._closing:
            try:
                self._connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            pending = b""
            try:
                while self._reading.wait() and not self._closing:
                    octets = self._connection.recv(65536)
                    if not octets:
                        break
                    pending = self._take(pending + octets)
            except OSError:
                pass

    def _take(self, pending):
        while match := re.match(rb"(\d+) ", pending):
            end = match.end() + int(match[1])
            if len(pending) < end:
                break
            self.messages.append(pending[match.end():end].decode())
            pending = pending[end:]
        return pending


class Certificates:
    """An authority, and certificates for localhost that it signed."""

    def __init__(self, scratch):
        self._scratch = scratch
        self.ca = scratch.file("ca.pem")
        self._ca_key = scratch.file("ca.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", self._ca_key, "-out", self.ca, "-days", "2", "-subj",
                      "/CN=lab authority", "-addext", "basicConstraints=critical,CA:TRUE")
        self.certificate, self.key = self.make("localhost")

    def make(self, name):
        request, key, certificate = (self._scratch.file(f"{name}.{e}") for e in ("csr", "key", "pem"))
        extensions = self._scratch.write(f"{name}.ext", f"subjectAltName=DNS:{name}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key,
                      "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key

    def make_expired(self, name):
        """A certificate for the name that was good for one day, ten days ago."""
        file = self._scratch.file
        request, key, certificate = (file(f"expired-{name}.{e}") for e in ("csr", "key", "pem"))
        config = self._scratch.write("expired.cnf", f"""\
[ca]
default_ca = lab
[lab]
database = {self._scratch.write("expired.index", "")}
serial = {self._scratch.write("expired.serial", "1000")}
new_certs_dir = {self._scratch.path}
default_md = sha256
policy = names
x509_extensions = server
[names]
commonName = supplied
[server]
subjectAltName = DNS:{name}
""")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        start = datetime.now(timezone.utc) - timedelta(days=10)
        self._openssl("ca", "-batch", "-config", config, "-in", request, "-out", certificate,
                      "-cert", self.ca, "-keyfile", self._ca_key, "-notext",
                      "-startdate", f"{start:%Y%m%d%H%M%SZ}",
                      "-enddate", f"{start + timedelta(days=1):%Y%m%d%H%M%SZ}")
        return certificate, key

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run([find_program("openssl"), *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise LabError(f"openssl {arguments[0]}: {done.stderr}")
