"""rsyslog and syslog-ng as judges of what Lapwing sends: by UDP, TCP and TLS, parsed by their own code.

Each has `targets` {transport: (target, {setting: value})} for sinks, and `messages(transport)`: dicts
with pri, time, host, app, pid, msgid, msg, and sd {element: {name: value}}.
"""

import json
import os
import socket

from process import LabError, Skip, find_program, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")

RSYSLOG = """\
global(workDirectory="{dir}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="on"
       defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
       defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp")
module(load="imudp")
module(load="mmpstrucdata")
template(name="parsed" type="list" option.jsonf="on") {{
  property(outname="input" name="inputname" format="jsonf")
  property(outname="pri" name="pri" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="pid" name="procid" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="sd" name="$!rfc5424-sd" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}}
ruleset(name="lab") {{
  action(type="mmpstrucdata" sd_name.lowercase="off")
  action(type="omfile" file="{out}" template="parsed")
}}
input(type="imtcp" name="tcp" address="127.0.0.1" port="{tcp}" ruleset="lab")
input(type="imudp" name="udp" address="127.0.0.1" port="{udp}" ruleset="lab" rcvbufSize="4m")
input(type="imtcp" name="tls" address="127.0.0.1" port="{tls}" ruleset="lab"
      StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
"""

SYSLOG_NG = """\
@version: 3.38
options {{ keep-hostname(yes); chain-hostnames(no); use-dns(no); dns-cache(no); stats-freq(0);
  log-msg-size(65536); flush-lines(1); frac-digits(6); keep-timestamp(yes); time-zone("UTC"); }};
source tcp {{ syslog(ip(127.0.0.1) port({tcp}) transport("tcp")); }};
source udp {{ syslog(ip(127.0.0.1) port({udp}) transport("udp") so-rcvbuf(4194304)); }};
source tls {{ syslog(ip(127.0.0.1) port({tls}) transport("tls")
  tls(key-file("{key}") cert-file("{certificate}") peer-verify(optional-untrusted))); }};
template parsed {{ template("{json}\\n"); }};
destination out {{ file("{out}" template(parsed)); }};
log {{ source(tcp); source(udp); source(tls); destination(out); }};
"""

JSON = ("$(format-json --leave-initial-dot input=$SOURCE pri=$PRI time=$S_ISODATE host=$HOST"
        " app=$PROGRAM pid=$PID msgid=$MSGID msg=$MSG --key .SDATA.*)")


class Judge:
    """What both have in common. `start` in the subclass."""

    def __init__(self, scratch, certificates, name):
        self.name = name
        self.out = scratch.file(f"{name}.json")
        self.process = None
        self._scratch = scratch
        self._certificates = certificates
        self.ports = {"tcp": free_port(), "udp": free_port(kind=socket.SOCK_DGRAM),
                      "tls": free_port()}
        self.targets = {
            "tcp": (f"tcp://127.0.0.1:{self.ports['tcp']}", {}),
            "udp": (f"udp://127.0.0.1:{self.ports['udp']}", {}),
            "tls": (f"tls://127.0.0.1:{self.ports['tls']}",
                    {"ca-file": certificates.ca, "server-name": "localhost"})}

    def write_config(self, text):
        return self._scratch.write(f"{self.name}.conf", text.format(
            dir=self._scratch.path, out=self.out, json=JSON, ca=self._certificates.ca,
            certificate=self._certificates.certificate, key=self._certificates.key, **self.ports))

    def wait_listens(self):
        def listens():
            self.process.check_alive()
            try:
                for port in (self.ports["tcp"], self.ports["tls"]):
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                return True
            except OSError:
                return False
        wait_for(listens, 60, f"{self.name} listens", self.process.log)

    def lines(self):
        if not os.path.exists(self.out):
            return []
        with open(self.out, encoding="utf-8") as source:
            text = source.read()
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].split("\n") if line]

    def messages(self, transport):
        return [m for m in self.lines() if m["input"] == transport]


class RsyslogJudge(Judge):
    def __init__(self, scratch, certificates):
        super().__init__(scratch, certificates, "rsyslog-judge")

    def start(self):
        config = self.write_config(RSYSLOG)
        self.process = self._scratch.start(self.name, [
            find_program("rsyslogd"), "-n", "-f", config, "-i", self._scratch.file("judge.pid")])
        self.wait_listens()
        return self

    def lines(self):
        out = super().lines()
        for message in out:
            sd = message["sd"]
            message["sd"] = json.loads(sd) if isinstance(sd, str) and sd else sd or {}
        return out


class SyslogNgJudge(Judge):
    def __init__(self, scratch, certificates):
        super().__init__(scratch, certificates, "syslog-ng-judge")

    def start(self):
        root = os.path.join(ROOT, ".build", "judges", "syslog-ng")
        program = os.path.join(root, "usr", "sbin", "syslog-ng")
        if not os.path.exists(program):
            raise Skip(f"{program} is not there: run tests/setup test (Debian's rsyslog and "
                       "syslog-ng exclude each other, so it is unpacked beside the build)")
        libraries = os.path.join(root, "usr", "lib", "syslog-ng")
        config = self.write_config(SYSLOG_NG)
        file = self._scratch.file
        self.process = self._scratch.start(self.name, [
            find_program("env"), f"LD_LIBRARY_PATH={libraries}", program, "-F", "--no-caps", "-f",
            config, "-R", file("ng.persist"), "-p", file("ng.pid"), "-c", file("ng.ctl"),
            "--module-path", os.path.join(libraries, "3.38")])
        self.wait_listens()
        return self

    def lines(self):
        out = super().lines()
        for message in out:
            message["sd"] = message.pop(".SDATA", None) or message.pop("_SDATA", None) or {}
        return out


def judge_of(name, scratch, certificates):
    judges = {"rsyslog": RsyslogJudge, "syslog-ng": SyslogNgJudge}
    if name not in judges:
        raise LabError(f"no judge is called {name}")
    return judges[name](scratch, certificates).start()
