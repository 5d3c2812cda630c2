#!/usr/bin/env python3
"""Checks who includes whom, and a few promises that a script can see. See docs and DESIGN for why.

rooms.py [ROOT]       prints violations as file:line: text; exit 1 if there are any
rooms.py --self-test  plants one violation of each kind in a copy and checks that each is found
"""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SOURCE = (".h", ".cc", ".cpp", ".hpp", ".c")
LONG_FILE = 600
PREFETCH = "include/lapwing/prefetch.h"

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "README.md", "CHANGELOG.md", "bgp", "collector",
             "detectors", "docs", "include", "rib", "sinks", "systemd", "tests"}
ROOMS = ("bgp", "rib", "detectors", "sinks", "collector")


@dataclass(frozen=True)
class Rule:
    """Files under `where` (the first one that fits a file is its rule) may include only this.

    `rooms`: folders, or "folder/file" prefixes. `libraries`: prefixes of system headers beyond std,
    ANY for all; `never`: of these, the ones that have another owner.
    """
    where: str
    rooms: tuple
    libraries: tuple = ()
    never: tuple = ()


POSIX = ("sys/", "netinet/", "arpa/", "unistd.h", "fcntl.h", "poll.h", "signal.h", "syslog.h",
         "linux/", "netdb.h", "pwd.h", "grp.h", "net/if.h", "ifaddrs.h", "dlfcn.h")
ANY = ("",)
EVERY_ROOM = ("lapwing/",) + tuple(r + "/" for r in ROOMS)
# Of the session part of bgp/, see Lint.read_session_stems; Rule bgp/ below is the wire part's.
SESSION_RULE = Rule("bgp/", ("lapwing/", "bgp/"),
                    ("boost/asio", "boost/system", "openssl/") + POSIX)
RULES = (
    # inet_ntop and inet_pton: the text of an address, no socket. Mapping: huge pages. Threads: their names.
    Rule("include/", ("lapwing/",), ("arpa/inet.h", "pthread.h", "sys/mman.h")),
    Rule("bgp/", ("lapwing/", "bgp/")),
    Rule("rib/store", ("lapwing/", "bgp/", "rib/"),
         ("rocksdb/", "boost/unordered", "boost/sort/", "zstd.h") + POSIX),
    Rule("rib/", ("lapwing/", "bgp/", "rib/"),
         ("boost/container/small_vector.hpp", "boost/unordered")),
    # A plugin is first loaded in a child process.
    Rule("detectors/plugin.cc", ("lapwing/", "detectors/"),
         ("fmt/", "dlfcn.h", "signal.h", "sys/wait.h", "unistd.h")),
    Rule("detectors/event_id.cc", ("lapwing/", "detectors/"), ("openssl/sha.h",)),
    Rule("detectors/", ("lapwing/", "detectors/"), ("fmt/",)),
    Rule("sinks/", ("lapwing/", "sinks/"),
         ("boost/asio", "boost/beast", "boost/json", "boost/system", "fmt/", "openssl/",
          "zlib.h") + POSIX),
    Rule("collector/client", EVERY_ROOM, ANY, ("rocksdb/",)),
    Rule("collector/", EVERY_ROOM, ANY, ("rocksdb/", "boost/beast")),
)
# Operations on streams cost the compiler minutes for each kind of stream: they have one, ByteStream.
COMPOSED = re.compile(r"boost/(asio/ssl(/stream)?\.hpp|asio/(read|write|connect)\.hpp|beast/http\.hpp"
                      r"|beast/http/(read|write)\.hpp|beast/core/(basic|tcp)_stream|beast/ssl|beast/websocket)")
COMPOSED_IN = ("sinks/byte_stream.cc", "sinks/http_wire.cc", "sinks/web_socket.cc")
CLOCK = re.compile(r"(system|steady|high_resolution|utc)_clock::now|\bgettimeofday\b"
                   r"|\bclock_gettime\b|std::time\s*\(|[^\w.>:]time\s*\(\s*(nullptr|NULL|0)\s*\)"
                   r"|std::random_device|\bstd::rand\b")
CLOCK_FREE = re.compile(r"(rib/(?!store)|detectors/|include/)")
WORDS = re.compile(r"\b(TODO|FIXME|XXX)\b")
# Absolute paths of a developer's machine. /var/lib, /etc, /run and /dev are a daemon's.
MACHINE_PATH = re.compile(r"(?<![\w./$}])/(home|root|work|Users|mnt|workspace|opt/build)/[\w.-]+")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Of the C library's headers, those of ISO C are std too.
ISO_C = {"assert.h", "stddef.h", "stdint.h", "stdbool.h", "string.h", "stdlib.h", "stdio.h",
         "limits.h"}


class Lint:
    def __init__(self, root):
        self.root = root
        self.violations = []
        self.warnings = []
        self.session_stems = self.read_session_stems()

    def read_session_stems(self):
        """The session part of bgp/, as paths without their ends.

        Sources: those of the targets other than lapwing_wire. Headers that have no source of their
        own: those that include Asio, or such a header.
        """
        folder = os.path.join(self.root, "bgp")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        stems = {"bgp/" + n.rsplit(".", 1)[0] for n in names if n.startswith("session")}
        for name in names:
            if name == "CMakeLists.txt" or name.endswith(".cmake"):
                text = re.sub(r"#.*", "", self.read("bgp/" + name))
                for target, body in re.findall(r"(?:add_library|target_sources)\(\s*(\w+)([^)]*)\)",
                                               text):
                    if target != "lapwing_wire":
                        stems |= {"bgp/" + s[:-3] for s in body.split() if s.endswith(".cc")}
        alone = {"bgp/" + n[:-2]: self.read("bgp/" + n) for n in names
                 if n.endswith(".h") and n[:-2] + ".cc" not in names}
        grown = True
        while grown:
            more = {stem for stem, text in alone.items() if stem not in stems and any(
                name.startswith("boost/asio") or name.rsplit(".", 1)[0] in stems
                for name in re.findall(r'#include [<"]([^>"]+)', text))}
            stems |= more
            grown = bool(more)
        return stems

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as source:
            return source.read()

    def is_session(self, path):
        return path.startswith("bgp/session") or path.rsplit(".", 1)[0] in self.session_stems

    def rule_of(self, path):
        if self.is_session(path):
            return SESSION_RULE
        return next((r for r in RULES if path.startswith(r.where)), None)

    def run(self):
        for path in self.files():
            self.check_top_level(path)
            self.check_file(path)
        return self

    def files(self):
        """Paths relative to the root: what git knows of or would add, else everything."""
        listed = subprocess.run(
            ["git", "-C", self.root, "ls-files", "-co", "--exclude-standard"],
            capture_output=True, text=True, check=False) if os.path.isdir(
                os.path.join(self.root, ".git")) else None
        if listed and listed.returncode == 0:
            found = [p for p in listed.stdout.splitlines()
                     if os.path.isfile(os.path.join(self.root, p))]
        else:
            found = [os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, names in os.walk(self.root) for name in names
                     if "/." not in folder[len(self.root):]]
        return sorted(found)

    def say(self, path, line, text):
        self.violations.append(f"{path}:{line}: {text}")

    def check_top_level(self, path):
        top = path.split("/")[0]
        if top not in TOP_LEVEL and not top.startswith((".", "LICENSE")):
            self.say(path, 1, f"top-level entry '{top}' is not among the rooms")

    def check_file(self, path):
        if not path.endswith(SOURCE + (".py", ".txt", ".cmake", ".md", ".toml", ".json", ".service",
                                       "/setup", "/all", "/story", "/run")):
            return
        lines = self.read(path).split("\n")
        itself = path.startswith("tests/lint/")
        for number, line in enumerate(lines, 1):
            if not itself and (word := WORDS.search(line)):
                self.say(path, number, f"{word[1]}: decide it, or write an issue")
            if not itself and (found := MACHINE_PATH.search(line)):
                self.say(path, number, f"a path of one machine: {found[0]}")
        if path.endswith(SOURCE):
            self.check_source(path, lines)
        if path == "docs/RFCS.md":
            self.check_standards(path, lines)

    def check_standards(self, path, lines):
        """Each file and each test that a row of the table names is there."""
        files = self.files()
        tests = "".join(self.read(p) for p in files if p.startswith("tests/") and p.endswith(".cmake"))
        for number, line in enumerate(lines, 1):
            for name in re.findall(r"`([^`]+)`", line) if line.startswith("|") else ():
                if re.search(r"\.(cc|h|py|\*)$|_\*$", name):
                    there = any(fnmatch.fnmatch(p, name) or fnmatch.fnmatch(p, "*/" + name)
                                for p in files) or fnmatch.filter(re.findall(r"\w+", tests), name)
                elif re.search(r"_test$|^interop_", name):
                    there = (re.search(rf"\b{name}(\.cc)?\b", tests)
                             or re.search(rf"\b{name.removeprefix('interop_')}\b", tests))
                else:
                    continue
                if not there:
                    self.say(path, number, f"names `{name}`, which is nowhere")

    def check_source(self, path, lines):
        if not path.startswith("tests/") and len(lines) > LONG_FILE:
            self.warnings.append(f"{path}:1: {len(lines)} lines: divide it by meaning?")
        if path.endswith((".h", ".hpp")) and "plugin" not in path and "#pragma once" not in lines:
            self.say(path, 1, "a header without #pragma once")
        rule = self.rule_of(path)
        for number, line in enumerate(lines, 1):
            if rule and (include := INCLUDE.match(line)):
                self.check_include(path, number, rule, include[1] == '"', include[2])
            if "__builtin_prefetch" in line and path != PREFETCH:
                self.say(path, number, "a compiler may drop it: use prefetch_line")
            if CLOCK_FREE.match(path) and (found := CLOCK.search(line.split("//")[0])):
                self.say(path, number, f"a clock or randomness where only event time may be: "
                                       f"{found[0].strip()}")

    def check_include(self, path, number, rule, quoted, name):
        if quoted or name.startswith(tuple(r + "/" for r in ROOMS) + ("lapwing/",)):
            if "/" not in name or name.startswith("."):
                self.say(path, number, f"include \"{name}\" from the root of the project")
            elif not name.startswith(rule.rooms):
                self.say(path, number, f"may not include {name}; allowed: {', '.join(rule.rooms)}")
            elif (path.startswith("bgp/") and self.is_session(name)
                  and not self.is_session(path)):
                self.say(path, number, f"the wire part may not include the session part: {name}")
            return
        if COMPOSED.match(name) and path not in COMPOSED_IN:
            self.say(path, number, f"<{name}> is for {' and '.join(COMPOSED_IN)}: use ByteStream")
            return
        is_std = re.fullmatch(r"[a-z_0-9]+", name) or name in ISO_C
        if is_std:
            return
        if not name.startswith(rule.libraries) or name.startswith(rule.never or ("\0",)):
            allowed = ", ".join(x for x in rule.libraries if x and x not in POSIX) or "see the rule"
            self.say(path, number, f"may not include <{name}>; allowed beyond std: {allowed}")


PLANTED = {  # file: (text, what must be said)
    "bgp/update.cc": ("#include <boost/asio.hpp>", "may not include <boost/asio.hpp>"),
    "bgp/message.cc": ('#include "rib/engine.h"', "may not include rib/engine.h"),
    "bgp/nlri.cc": ('#include "bgp/session.h"', "wire part may not include the session part"),
    "bgp/session.cc": ('#include "rib/engine.h"', "may not include rib/engine.h"),
    "rib/engine.cc": ('#include "sinks/syslog.h"', "may not include sinks/syslog.h"),
    "rib/host.cc": ("#include <rocksdb/db.h>", "may not include <rocksdb/db.h>"),
    "rib/paths.cc": ("auto t = std::chrono::system_clock::now();", "a clock or randomness"),
    "rib/asio.cc": ("#include <boost/asio/post.hpp>", "may not include <boost/asio/post.hpp>"),
    "detectors/a.cc": ('#include "bgp/record.h"', "may not include bgp/record.h"),
    "detectors/b.cc": ("  const auto now = time(nullptr);", "a clock or randomness"),
    "detectors/c.cc": ("#include <boost/json.hpp>", "may not include <boost/json.hpp>"),
    "sinks/d.cc": ("#include <boost/asio/ssl.hpp>", "use ByteStream"),
    "sinks/e.cc": ("#include <boost/beast/websocket/stream.hpp>", "use ByteStream"),
    "collector/client.cc": ("#include <boost/beast/http/read.hpp>", "use ByteStream"),
    "sinks/a.cc": ('#include "collector/config.h"', "may not include collector/config.h"),
    "collector/run.cc": ("#include <boost/beast.hpp>", "may not include <boost/beast.hpp>"),
    "include/lapwing/x.h": ("#pragma once\n#include <fmt/core.h>", "may not include <fmt/core.h>"),
    "include/lapwing/y.h": ("struct Y {};", "without #pragma once"),
    "sinks/b.cc": ('#include "syslog.h"', "from the root of the project"),
    "sinks/c.cc": ("// TO" "DO: later", "TO" "DO"),
    "docs/RFCS.md": ("| 9999 | 1 | yes | `gone.cc` | `gone_test` |", "`gone_test`, which is nowhere"),
    "docs/x.md": ("see /ho" "me/someone/notes", "a path of one machine"),
    "rib/ahead.h": ("#pragma once\n  __builtin_prefetch(p);", "use prefetch_line"),
    "util/x.cc": ("int x;", "top-level entry 'util'"),
}
FINE = {
    "bgp/session.cc": "#include <boost/asio/ip/tcp.hpp>\n#include <sys/socket.h>\n#include <map>\n",
    "rib/store.cc": '#include <rocksdb/db.h>\n#include "rib/store.h"\nsystem_clock::now();',
    "detectors/a.cc": '#include <fmt/format.h>\n#include "lapwing/detector.h"\n',
    "sinks/a.cc": "#include <boost/beast/core.hpp>\n",
    PREFETCH: "#pragma once\n  __builtin_prefetch(p);\n",
    "docs/x.md": "path = \"/var/lib/lapwing\"\n",
}


def plant(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w") as out:
        out.write(text + "\n")


def self_test():
    failed = 0
    for path, (text, wanted) in PLANTED.items():
        with tempfile.TemporaryDirectory() as root:
            plant(root, path, text)
            found = Lint(root).run().violations
            if not any(wanted in v and v.startswith(path + ":") for v in found):
                print(f"not found: {path} with {text!r}: {wanted}; said: {found}")
                failed = 1
    with tempfile.TemporaryDirectory() as root:
        for path, text in FINE.items():
            plant(root, path, text)
        if found := Lint(root).run().violations:
            print(f"found where nothing is wrong: {found}")
            failed = 1
    if not failed:
        print(f"self-test: all {len(PLANTED)} planted violations found")
    return failed


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    lint = Lint(sys.argv[1] if len(sys.argv) > 1 else ROOT).run()
    for text in lint.warnings:
        print(f"warning: {text}")
    for text in lint.violations:
        print(text)
    print(f"{len(lint.violations)} violations")
    return 1 if lint.violations else 0


if __name__ == "__main__":
    sys.exit(main())
