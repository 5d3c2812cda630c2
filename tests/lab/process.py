"""Processes, ports and waiting for the lab: nothing outlives a Scratch.

with Scratch() as scratch:
    daemon = scratch.start("bird", ["bird", "-f", ...])
    wait_for(lambda: daemon.is_up(), 5, "bird is up")

Leaving the block ends every process that was started in it (also after Ctrl-C or SIGTERM) and
removes the directory, unless it is to be kept.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


class LabError(Exception):
    """Something did not happen that had to; the text says what."""


class Skip(Exception):
    """This machine cannot run the case; the text says why."""


def find_program(name):
    """The path of a program; also looks where a normal user's PATH on Debian does not."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    found = shutil.which(name, path=path)
    if not found:
        raise LabError(f"{name} is not installed: run tests/setup build lab test")
    return found


_given = set()


def free_port(address="127.0.0.1", kind=socket.SOCK_STREAM):
    """A port that is free now, and that this process was not given before."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(100):
        with socket.socket(family, kind) as s:
            s.bind((address, 0))
            port = s.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
    raise LabError(f"no free port on {address}")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def wait_for(condition, seconds, what, detail=None):
    """Calls `condition` until it returns something true, and returns that; LabError if in vain."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            more = f"\n{detail()}" if detail else ""
            raise LabError(f"waited {seconds} s in vain: {what}{more}")
        time.sleep(0.02)


class Process:
    """One program in the foreground with its output in a file."""

    def __init__(self, name, command, log_path, env=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log_path = log_path
        with open(log_path, "ab") as log:
            self._popen = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log, env=env, start_new_session=True)

    @property
    def pid(self):
        return self._popen.pid

    def returncode(self):
        """None while it runs; negative: the signal that ended it."""
        return self._popen.poll()

    def check_alive(self):
        code = self.returncode()
        if code is not None:
            raise LabError(f"{self.name} ended with {code}; its output:\n{self.log()}")

    def log(self, lines=30):
        with open(self.log_path, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def signal(self, number):
        if self.returncode() is None:
            self._popen.send_signal(number)

    def wait(self, seconds):
        """The exit code; LabError when it still runs after `seconds`."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} did not end within {seconds} s") from None

    def stop(self, seconds=5):
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.returncode

    def kill(self):
        self.signal(signal.SIGKILL)
        self._popen.wait()


class Scratch:
    """A temporary directory and the processes that live in it."""

    def __init__(self, keep=False):
        self.keep = keep
        self.path = ""
        self._processes = []
        self._old_term = None

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="lapwing-")
        self._old_term = signal.signal(signal.SIGTERM, self._on_term)
        return self

    @staticmethod
    def _on_term(number, frame):
        raise SystemExit(128 + number)

    def __exit__(self, kind, value, trace):
        # A second Ctrl-C must not leave processes behind.
        old_int = signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            for process in reversed(self._processes):
                process.signal(signal.SIGTERM)
            for process in reversed(self._processes):
                process.stop(5)
            if self.keep:
                print(f"kept: {self.path}", file=sys.stderr)
            else:
                shutil.rmtree(self.path, ignore_errors=True)
        finally:
            signal.signal(signal.SIGINT, old_int)
            signal.signal(signal.SIGTERM, self._old_term)

    def file(self, *parts):
        return os.path.join(self.path, *parts)

    def write(self, name, text):
        path = self.file(name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def start(self, name, command, env=None):
        process = Process(name, command, self.file(name + ".log"), env)
        self._processes.append(process)
        return process
