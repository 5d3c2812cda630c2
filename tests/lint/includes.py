#!/usr/bin/env python3
"""Checks that each file includes, directly or through a header, what it uses of the project.

Files are compiled many at a time where tests are built, so that one may use what only another of its
batch includes; the build for measuring compiles each alone, and stops. What a script can see of it: a
type, a name with its namespace, or a function in small letters that one header declares and no included
one mentions. Names of the standard library and of others' libraries are not looked at.

includes.py [ROOT]       prints violations as file:line: text; exit 1 if there are any
includes.py --self-test  plants violations in a folder of its own and checks that each is found
"""

import os
import re
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ROOMS = ("include", "bgp", "rib", "detectors", "sinks", "collector", "tests/bench", "tests/fuzz")
SPACES = {"lapwing", "bgp", "mrt", "rib", "detectors", "sinks", "collector", "attribute"}

TYPE = re.compile(r"^(?:class|struct|enum class|enum|union) (\w+)\b(?!\s*;)|^using (\w+) =", re.M)
FUNCTION = re.compile(r"^[\w:<>,&* ]+[ &*]([a-z]+_[a-z_]+)\(", re.M)
LOCAL = re.compile(r"\b(?:class|struct|enum|using|typename|namespace)\s+(?:class\s+)?(\w+)")
USED_TYPE = re.compile(r"(?<![\w.>:])[A-Z]\w+")
USED_FUNCTION = re.compile(r"(?<![\w.>:])([a-z]+_[a-z_]+)\(")
QUALIFIED = re.compile(r"\b(?:%s)::(?:\w+::)*(\w+)" % "|".join(sorted(SPACES)))
WORD = re.compile(r"\b[A-Za-z_]\w+")


def without_texts(source):
    """The code alone; lines stay where they are."""
    source = re.sub(r"//[^\n]*", "", source)
    source = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), source, flags=re.S)
    source = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', source)
    return re.sub(r"^#[^\n]*", "", source, flags=re.M)


class Sources:
    def __init__(self, root):
        self.text, self.includes, self.words = {}, {}, {}
        for room in ROOMS:
            for folder, _, names in os.walk(os.path.join(root, room)):
                for name in names:
                    if name.endswith((".h", ".cc")):
                        path = os.path.relpath(os.path.join(folder, name), root)
                        with open(os.path.join(root, path), encoding="utf-8") as file:
                            source = file.read()
                        self.includes[path] = [
                            "include/" + i if i.startswith("lapwing/") else i
                            for i in re.findall(r'^#include "([^"]+)"', source, re.M)]
                        self.text[path] = without_texts(source)
                        self.words[path] = set(WORD.findall(self.text[path]))
        self.types = self.declared(lambda text: [a or b for a, b in TYPE.findall(text)])
        self.functions = self.declared(FUNCTION.findall)

    def declared(self, names_in):
        """Names that one header alone declares."""
        where = {}
        for path, text in self.text.items():
            if path.endswith(".h"):
                for name in names_in(text):
                    where.setdefault(name, set()).add(path)
        return {name for name, paths in where.items() if len(paths) == 1}

    def at_hand(self, path):
        """All words of what the file includes, of what that includes, and so on."""
        seen, ahead = set(), list(self.includes[path])
        while ahead:
            header = ahead.pop()
            if header not in seen and header in self.text:
                seen.add(header)
                ahead += self.includes[header]
        return set().union(*(self.words[header] for header in seen))

    def violations(self):
        for path in sorted(self.text):
            text = self.text[path]
            own = set(LOCAL.findall(text)) | set(FUNCTION.findall(text)) | SPACES
            wanted = (set(USED_TYPE.findall(text)) & self.types
                      | set(USED_FUNCTION.findall(text)) & self.functions
                      | {name for name in QUALIFIED.findall(text)
                         if not re.search(rf"(?<![\w:]){name}\b", text)})
            for name in sorted(wanted - own - self.at_hand(path)):
                line = text[:re.search(rf"\b{name}\b", text).start()].count("\n") + 1
                yield f"{path}:{line}: uses {name}, but includes nothing that has it"


FILES = {
    "bgp/words.h": "struct Word {};\nint read_word(int n);\nnamespace mark { constexpr int kOne = 1; }\n",
    "bgp/more.h": '#include "bgp/words.h"\n',
    "rib/through.cc": '#include "bgp/more.h"\nWord w;  // Elsewhere\nint n = read_word(1);\n',
    "rib/own.cc": "struct Word {};\nint read_word(int n) { return n; }\nint m = x.read_word(1);\n",
}
PLANTED = {
    "rib/type.cc": ("\nWord w;\n", "rib/type.cc:2: uses Word,"),
    "rib/function.cc": ("int n = read_word(1);\n", "rib/function.cc:1: uses read_word,"),
    "rib/name.cc": ("int n = bgp::mark::kOne;\n", "rib/name.cc:1: uses kOne,"),
}


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**FILES, **{p: text for p, (text, _) in PLANTED.items()}}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        found = list(Sources(root).violations())
    missing = [wanted for _, wanted in PLANTED.values() if not any(v.startswith(wanted) for v in found)]
    if missing or len(found) != len(PLANTED):
        print(f"not found: {missing}; said: {found}")
        return 1
    print(f"self-test: all {len(PLANTED)} planted violations found")
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(Sources(sys.argv[1] if len(sys.argv) > 1 else ROOT).violations())
    for text in found:
        print(text)
    print(f"{len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
