"""systemd-journald itself, in a mount namespace in which a directory of the test stands for /run.

It needs no systemd as process 1. Its socket and its journal files lie in the test's directory, so that
sinks and journalctl outside of the namespace reach them.
"""

import json
import os
import shutil
import subprocess

from process import LabError, Skip, find_program, wait_for

PROGRAM = "/lib/systemd/systemd-journald"
CONFIG = """\
[Journal]
Storage=volatile
ReadKMsg=no
Audit=
ForwardToSyslog=no
ForwardToKMsg=no
ForwardToConsole=no
ForwardToWall=no
RateLimitIntervalSec=0
RuntimeMaxUse=256M
"""


class Journald:
    def __init__(self, scratch):
        if os.geteuid() != 0:
            raise Skip("a mount namespace of its own needs root")
        if not os.path.exists(PROGRAM) or not shutil.which("journalctl"):
            raise Skip("systemd-journald is not installed")
        probe = subprocess.run([find_program("unshare"), "-m", "true"], capture_output=True, text=True)
        if probe.returncode != 0:
            raise Skip(f"no mount namespace here: {probe.stderr.strip()}")
        with open("/etc/machine-id") as source:
            self._machine = source.read().strip()
        if len(self._machine) != 32:
            raise Skip("this machine has no id (/etc/machine-id)")
        self._scratch = scratch
        self._run = scratch.file("run")
        self.socket = os.path.join(self._run, "systemd", "journal", "socket")
        self._journal = os.path.join(self._run, "log", "journal")
        self._runs = 0
        self.process = None
        os.makedirs(os.path.join(self._run, "systemd", "journald.conf.d"))
        with open(os.path.join(self._run, "systemd", "journald.conf.d", "lab.conf"), "w") as out:
            out.write(CONFIG)

    def start(self):
        self._runs += 1
        self.process = self._scratch.start(f"journald-{self._runs}", [
            find_program("unshare"), "-m", "--propagation", "private", "sh", "-c",
            f'mount --bind "{self._run}" /run && exec {PROGRAM}'])

        def listens():
            self.process.check_alive()
            return os.path.exists(self.socket) and os.path.isdir(
                os.path.join(self._journal, self._machine))
        wait_for(listens, 15, "journald listens", self.process.log)
        return self

    def stop(self):
        self.process.stop()
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def entries(self, *matches):
        """What `journalctl MATCH…` shows, oldest first: {field: text}."""
        done = subprocess.run([find_program("journalctl"), "--directory", self._journal, "--all",
                               "--quiet", "--output=json", *matches],
                              capture_output=True, text=True, timeout=60)
        if done.returncode not in (0, 1):  # 1: there are none
            raise LabError(f"journalctl {matches}: {done.stderr}")
        return [{name: text_of(value) for name, value in json.loads(line).items()}
                for line in done.stdout.split("\n") if line]


def text_of(value):
    """journalctl writes as a list of octets what is not printable text."""
    return bytes(value).decode() if isinstance(value, list) else value
