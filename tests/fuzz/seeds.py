#!/usr/bin/env python3
"""Seeds for the fuzz targets, from public data beside the checkout: seeds.py TARGET DIRECTORY [--run PROGRAM]

With --run, DIRECTORY is a temporary one and PROGRAM (built with replay_main.cc) runs over it.
Exit 77 where the data is absent.
"""

import argparse
import bz2
import gzip
import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tempfile

DATA = os.environ.get("LAPWING_SHARED_DATA") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "data")
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16
MAX_MRT = 64 * 1024


def message(kind, body):
    return MARKER + (19 + len(body)).to_bytes(2, "big") + bytes([kind]) + body


def rows(name):
    path = os.path.join(DATA, "vectors", name)
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "rt") as lines:
        for number, line in enumerate(lines):
            # The attribute matrix is regular: every tenth row will do.
            if not name.endswith(".gz") or number % 10 == 0:
                yield json.loads(line)


def streams():
    """Octets that hold messages: vectors, FRR's corpus, recorded sessions."""
    for name in ("updates.jsonl", "session.jsonl", "open-capabilities.jsonl", "as-path.jsonl",
                 "exabgp-updates.jsonl", "routecore.jsonl", "holo.jsonl", "opendaylight.jsonl",
                 "attribute-matrix.jsonl.gz"):
        for row in rows(name):
            yield bytes.fromhex(row["hex"])
    with tarfile.open(os.path.join(DATA, "vectors", "fuzz-seeds", "frr-bgpd-corpus.tar.xz")) as tar:
        for member in tar:
            if member.isfile() and member.size <= 8192:
                yield tar.extractfile(member).read()
    for folder, suffixes in (("messages", (".bgp", ".msg")), ("pcap-bgp", (".dat",))):
        for name in sorted(os.listdir(os.path.join(DATA, folder))):
            if name.endswith(suffixes):
                with open(os.path.join(DATA, folder, name), "rb") as source:
                    yield source.read()
    for name in ("PcapPlusPlus.Bgp_open.dat", "PcapPlusPlus.Bgp_update1.dat"):
        with open(os.path.join(DATA, "pcap-bgp", name)) as source:  # frames as hexadecimal text
            text = re.sub(r"\s", "", source.read())
            if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
                yield bytes.fromhex(text)


def messages():
    """(type, body) of all whole messages in the streams."""
    for stream in streams():
        at = stream.find(MARKER)
        while at >= 0 and at + 19 <= len(stream):
            length = int.from_bytes(stream[at + 16:at + 18], "big")
            if length < 19 or at + length > len(stream):
                break
            yield stream[at + 18], stream[at + 19:at + length]
            at = stream.find(MARKER, at + length)


def bodies(kind):
    return (body for k, body in messages() if k == kind)


def open_seeds():
    return bodies(OPEN)


def notification_seeds():
    yield from bodies(NOTIFICATION)
    for subcode in (2, 4):
        for text in (b"", b"reboot", "Wartung \u00fcber Nacht".encode(), b"\xff\xfe", b"a\nb\x1b[2J"):
            yield bytes([6, subcode, len(text)]) + text
    yield bytes([6, 9, 6, 2, 3]) + b"bye"


def framer_seeds():
    return streams()


def update_seeds():
    for number, body in enumerate(bodies(UPDATE)):
        yield bytes([number % 128]) + body
        yield b"\x05" + body


def fsm_seeds():
    hello = message(OPEN, bytes.fromhex("04fde9005a0a000002") + bytes.fromhex(
        "22" "0220" "010400010001" "010400020001" "0200" "4600" "41040000fde9" "4002" "4078" "0600"))
    alive = message(KEEPALIVE, b"")

    def sent(octets):
        return len(octets).to_bytes(2, "big") + octets
    for number, (kind, body) in enumerate(messages()):
        one = message(kind, body)
        if len(one) > 30000:
            continue
        if kind == OPEN:
            yield sent(one) + sent(alive)
        elif number % 5 == 0:
            yield sent(one)
        else:
            yield sent(hello + alive) + sent(one + alive)
    for event in range(128, 137):
        for before in (b"", sent(hello), sent(hello + alive), sent(hello[:10])):
            yield before + bytes([event]) + sent(alive)


def mrt_seeds():
    folder = os.path.join(DATA, "mrt")
    openers = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    for name in sorted(os.listdir(folder)):
        opener = openers.get(os.path.splitext(name)[1], open)
        with opener(os.path.join(folder, name), "rb") as source:
            data = source.read(MAX_MRT)
        at, start = 0, 0
        while at + 12 <= len(data):
            at += 12 + int.from_bytes(data[at + 8:at + 12], "big")
            if at - start >= 1024 or at >= len(data):
                yield data[start:at]
                start = at


TARGETS = {"framer": framer_seeds, "fsm": fsm_seeds, "mrt": mrt_seeds,
           "notification": notification_seeds, "open": open_seeds, "update": update_seeds}


def write(target, folder):
    os.makedirs(folder, exist_ok=True)
    count = 0
    for seed in TARGETS[target]():
        with open(os.path.join(folder, hashlib.sha1(seed).hexdigest()), "wb") as out:
            out.write(seed)
        count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("directory", nargs="?")
    parser.add_argument("--run", metavar="PROGRAM")
    args = parser.parse_args()
    if not os.path.isdir(os.path.join(DATA, "vectors")):
        print(f"skipped: no public data at {DATA} (LAPWING_SHARED_DATA)")
        sys.exit(77)
    if not args.run:
        print(write(args.target, args.directory), "seeds")
        return
    with tempfile.TemporaryDirectory(prefix="lapwing-seeds-") as folder:
        write(args.target, folder)
        sys.exit(subprocess.run([args.run, folder], check=False).returncode)


main()
