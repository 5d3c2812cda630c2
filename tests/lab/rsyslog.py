"""rsyslogd as a plain process: an independent judge of what Lapwing sends.

Listens on loopback by UDP (RFC 5426), TCP (octet-counted and LF-framed, RFC 6587) and a Unix
datagram socket. Each message is parsed as RFC 5424 by rsyslog and its structured data by
mmpstrucdata. Two files come out: the lines as received, and what rsyslog understood, as JSON.
"""

import json
import os
import socket

from process import find_program, free_port, wait_for

CONFIG = """\
global(workDirectory="{dir}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="on")
module(load="imtcp")
module(load="imudp")
module(load="imuxsock" SysSock.Use="off")
module(load="mmpstrucdata")
template(name="raw" type="string" string="%rawmsg%\\n")
template(name="parsed" type="list" option.jsonf="on") {{
  property(outname="input" name="inputname" format="jsonf")
  property(outname="protocol" name="protocol-version" format="jsonf")
  property(outname="pri" name="pri" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="pid" name="procid" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="sd_raw" name="structured-data" format="jsonf")
  property(outname="sd" name="$!rfc5424-sd" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}}
ruleset(name="lab") {{
  action(type="mmpstrucdata")
  action(type="omfile" file="{raw}" template="raw")
  action(type="omfile" file="{parsed}" template="parsed")
}}
input(type="imtcp" name="tcp" address="127.0.0.1" port="{tcp}" ruleset="lab")
input(type="imudp" name="udp" address="127.0.0.1" port="{udp}" ruleset="lab")
input(type="imuxsock" Socket="{unix}" ruleset="lab" UseSpecialParser="off"
      ParseHostname="on" RateLimit.Interval="0" IgnoreTimestamp="off" UsePIDFromSystem="off")
"""


class Rsyslog:
    def __init__(self, scratch, name="rsyslog"):
        self.name = name
        self.tcp_port = free_port()
        self.udp_port = free_port(kind=socket.SOCK_DGRAM)
        self.unix_path = scratch.file(f"{name}.sock")
        self.process = None
        self._scratch = scratch
        self._raw = scratch.file(f"{name}.raw")
        self._parsed = scratch.file(f"{name}.json")
        self._runs = 0

    def start(self):
        config = self._scratch.write(f"{self.name}.conf", CONFIG.format(
            dir=self._scratch.path, raw=self._raw, parsed=self._parsed, tcp=self.tcp_port,
            udp=self.udp_port, unix=self.unix_path))
        self._runs += 1
        self.process = self._scratch.start(
            self.name, [find_program("rsyslogd"), "-n", "-f", config,
                        "-i", self._scratch.file(f"{self.name}.{self._runs}.pid")])
        wait_for(self._listens, 10, f"{self.name} listens", self.process.log)
        return self

    def stop(self):
        self.process.stop()
        if os.path.exists(self.unix_path):
            os.unlink(self.unix_path)

    def target(self, transport):
        """The `target` of a [[sink.syslog]] table."""
        if transport == "unix":
            return f"unix://{self.unix_path}"
        port = {"tcp": self.tcp_port, "udp": self.udp_port}[transport]
        return f"{transport}://127.0.0.1:{port}"

    def lines(self):
        """The messages as received, oldest first."""
        return self._read(self._raw)

    def messages(self):
        """What rsyslog understood, oldest first: dicts with `msgid`, `sd`, `msg` and so on."""
        return [json.loads(line) for line in self._read(self._parsed)]

    def _listens(self):
        self.process.check_alive()
        if not os.path.exists(self.unix_path):
            return False
        try:
            socket.create_connection(("127.0.0.1", self.tcp_port), 0.2).close()
            return True
        except OSError:
            return False

    @staticmethod
    def _read(path):
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8", errors="replace") as source:
            text = source.read()
        # The last line may be half written.
        return [line for line in text[:text.rfind("\n") + 1].split("\n") if line]


def sd_of(message, sd_id="lapwing@32473"):
    """The parameters of Lapwing's structured data element; {} where rsyslog found none."""
    sd = message.get("sd")
    if isinstance(sd, str):
        sd = json.loads(sd) if sd else {}
    return (sd or {}).get(sd_id, {})
