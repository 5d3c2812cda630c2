#!/usr/bin/env python3
"""Every BGP message in public captures is decoded, or refused for a reason that tshark shares.

captures.py --dump message_dump. The number of messages of each type and each announced and withdrawn
prefix must be tshark's, and what we refuse must be malformed to tshark, too. DIFFERENCES and WITHDRAWN
list where that is not so, and why.
"""

import argparse
import ipaddress
import os
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

DATA = os.environ.get("LAPWING_SHARED_DATA") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "data")
MARKER = b"\xff" * 16
NAMES = {1: "OPEN", 2: "UPDATE", 3: "NOTIFICATION", 4: "KEEPALIVE", 5: "ROUTE-REFRESH"}

# file: why its messages need not be equal.
DIFFERENCES = {
    "tcpdump.bgp-shutdown-msg-variations.pcap":
        "its segments have one sequence number: tshark takes the second and third for sent again and "
        "does not look into them; all three are NOTIFICATIONs with shutdown texts (RFC 9003 2)",
}

# file: why what tshark sees announced is withdrawn.
WITHDRAWN = {
    "tcpdump.bgp-bgpsec.pcap":
        "BGPsec_PATH stands for AS_PATH only between speakers that negotiated it (RFC 8205 2.2, 3); "
        "without it AS_PATH is missing (RFC 7606 3 d)",
    "tcpdump.bgpsec_invalid_signature_block_length.pcap": "as tcpdump.bgp-bgpsec.pcap",
}

# file: why no prefix of it is taken.
REFUSED = {
    "tcpdump.bgp-addpath.pcap":
        "MP_REACH_NLRI and MP_UNREACH_NLRI twice in one UPDATE: "
        "the session is reset (RFC 7606 3 g)",
}


def packets(path):
    """(link type, octets) of each packet, of pcap and pcapng."""
    with open(path, "rb") as source:
        data = source.read()
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from pcapng(data)
        return
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    if magic not in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"):
        return
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        yield link, data[at + 16:at + 16 + size]
        at += 16 + size


def pcapng(data):
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        kind = data[at:at + 4]
        if kind == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        size = struct.unpack(order + "I", data[at + 4:at + 8])[0]
        number = struct.unpack(order + "I", kind)[0]
        if number == 1:
            links.append(struct.unpack(order + "H", data[at + 8:at + 10])[0])
        elif number == 6:
            interface, _, _, captured = struct.unpack(order + "IIII", data[at + 8:at + 24])
            yield links[interface], data[at + 28:at + 28 + captured]
        at += max(size, 12)


def ip_packet(link, frame):
    """The IP packet within a frame; empty where there is none."""
    if link == 178 and frame[:3] == b"MGC":  # Juniper: a header of its own before the Ethernet frame
        extension = 2 + int.from_bytes(frame[4:6], "big") if frame[3] & 0x80 else 0
        return ip_packet(1, frame[4 + extension:])
    # Ethernet, Linux cooked, Cisco HDLC, Frame Relay, PPP; then those without an EtherType.
    offset = {1: 12, 113: 14, 104: 2, 107: 2, 9: 2, 101: 0, 228: 0, 229: 0, 0: 4, 108: 4,
              276: 0}.get(link)
    if offset is None:
        return b""
    if link in (101, 228, 229):
        return frame
    if link in (0, 108):
        return frame[4:]
    if link == 276:
        return frame[20:]
    kind = frame[offset:offset + 2]
    offset += 2
    while kind in (b"\x81\x00", b"\x88\xa8"):
        kind = frame[offset + 2:offset + 4]
        offset += 4
    if kind in (b"\x88\x47",):  # MPLS: to the bottom of the stack
        while offset + 4 <= len(frame):
            bottom = frame[offset + 2] & 1
            offset += 4
            if bottom:
                return frame[offset:]
    return frame[offset:] if kind in (b"\x08\x00", b"\x86\xdd", b"\x00\x21", b"\x00\x57") else b""


def segments(path):
    """((source, destination), sequence number, SYN, payload) of TCP segments to or from port 179."""
    for link, frame in packets(path):
        ip = ip_packet(link, frame)
        if not ip:
            continue
        if ip[0] >> 4 == 4:
            header, total = (ip[0] & 15) * 4, struct.unpack("!H", ip[2:4])[0]
            if ip[9] != 6:
                continue
            ends, tcp = (ip[12:16], ip[16:20]), ip[header:total]
        else:
            if ip[6] != 6:
                continue
            ends, tcp = (ip[8:24], ip[24:40]), ip[40:40 + struct.unpack("!H", ip[4:6])[0]]
        if len(tcp) < 20:
            continue
        source, destination, sequence = struct.unpack("!HHI", tcp[:8])
        if 179 not in (source, destination):
            continue
        yield ((ends[0], source, ends[1], destination), sequence, bool(tcp[13] & 2),
               tcp[(tcp[12] >> 4) * 4:])


def streams(path):
    """{direction: octets}, put together by sequence number; what is missing ends a piece."""
    pieces = {}
    for ends, sequence, syn, payload in segments(path):
        if syn:
            pieces.setdefault(ends, []).append([])
        runs = pieces.setdefault(ends, [[]])
        if not runs:
            runs.append([])
        if payload:
            runs[-1].append((sequence, payload))
    for ends, runs in pieces.items():
        for run in runs:
            octets, expected = b"", None
            for sequence, payload in sorted(run, key=lambda p: (p[0] - run[0][0]) & 0xffffffff):
                if expected is not None:
                    gap = (sequence - expected) & 0xffffffff
                    if gap > 0x80000000:  # sent again
                        payload = payload[(expected - sequence) & 0xffffffff:]
                        if not payload:
                            continue
                        sequence = expected
                    elif gap:
                        yield ends, octets
                        octets = b""
                octets += payload
                expected = (sequence + len(payload)) & 0xffffffff
            if octets:
                yield ends, octets


def messages(octets):
    at = octets.find(MARKER)
    while 0 <= at and at + 19 <= len(octets):
        size = struct.unpack("!H", octets[at + 16:at + 18])[0]
        if size < 19 or at + size > len(octets):
            return
        yield octets[at:at + size]
        at += size
        if octets[at:at + 16] != MARKER:
            at = octets.find(MARKER, at)


def decode(dump, all_messages):
    """The dump's line for each message; OPENs of the two sides say how UPDATEs are to be read.

    Where a capture has none: that way by which the fewest UPDATEs are wrong, as tshark guesses, too.
    """
    def ask(pairs):
        text = "".join(f"{flags} {m.hex()}\n" for flags, m in pairs)
        return subprocess.run([dump], input=text, capture_output=True, text=True,
                              check=True).stdout.splitlines()
    plain = ask([("4", m) for _, m in all_messages])
    if not any(line.startswith("OPEN") for line in plain):
        ways = [ask([(flags, m) for _, m in all_messages]) for flags in ("4", "-", "4a", "-a")]
        return min(ways, key=lambda lines: sum(line.startswith("UPDATE ")
                                               and not line.startswith("UPDATE ok") for line in lines))
    opens = {}
    for (ends, m), line in zip(all_messages, plain):
        if m[18] == 1:
            opens[ends] = line
    answers = []
    for ends, m in all_messages:
        ours = opens.get(ends, "four-octet")
        theirs = opens.get((ends[2], ends[3], ends[0], ends[1]), ours)
        flags = "4" if "four-octet" in ours and "four-octet" in theirs else "-"
        if "sends-ids" in ours and "takes-ids" in theirs:
            flags += "a"
        answers.append((flags, m))
    return ask(answers)


# Fields of tshark that hold an address of an NLRI; the length stands beside, in bgp.prefix_length.
ADDRESSES = {"bgp.nlri_prefix": "+", "bgp.withdrawn_prefix": "-",
             "bgp.mp_reach_nlri_ipv4_prefix": "+", "bgp.mp_unreach_nlri_ipv4_prefix": "-",
             "bgp.mp_reach_nlri_ipv6_prefix": "+", "bgp.mp_unreach_nlri_ipv6_prefix": "-"}

MP_UNREACH = "bgp.update.path_attribute.mp_unreach_nlri"


def vpn6(octets):
    """Of a VPNv6 route tshark has one text, and for RDs of type 2 not even that: from its octets."""
    labels = next(n for n in range(1, 9) if octets[3 * n] & 1)
    head = 3 * labels + 8
    address = octets[1 + head:].ljust(16, b"\0")
    return str(ipaddress.ip_network((address, octets[0] - 8 * head), strict=False))


def nlri_of(node, sign="+"):
    """+PREFIX and -PREFIX of all NLRI below the node."""
    length = 0
    for child in node:
        name = child.get("name")
        if name == "bgp.prefix_length":
            length = int(child.get("show"))
        elif name in ("bgp.label_stack", "bgp.rd"):  # the length is that of these, too
            length -= 8 * int(child.get("size"))
            if "IPv6=" in child.get("showname") + child.get("show"):
                yield sign + vpn6(bytes.fromhex(child.get("value")))
        elif name in ADDRESSES:
            yield ADDRESSES[name] + str(ipaddress.ip_network((child.get("show"), length), strict=False))
        yield from nlri_of(child, "-" if name == MP_UNREACH else sign)


def tshark(path):
    """(messages by type, number of malformed packets, announced and withdrawn prefixes) of tshark."""
    done = subprocess.run(["tshark", "-n", "-r", path, "-Y", "bgp", "-T", "pdml"], capture_output=True,
                          text=True)
    types, prefixes = Counter(), Counter()
    malformed = 0
    root = ElementTree.fromstring(done.stdout or "<pdml/>")  # nothing: it is no capture to tshark
    for packet in root.iter("packet"):
        malformed += packet.find(".//*[@name='_ws.malformed']") is not None
        for bgp in packet.iterfind("proto[@name='bgp']"):
            for kind in bgp.iterfind(".//field[@name='bgp.type']"):
                types[NAMES.get(int(kind.get("show")), kind.get("show"))] += 1
            prefixes.update(nlri_of(bgp))
    return types, malformed, prefixes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--binary", help="not used")
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    folder = os.path.join(DATA, "pcap-bgp")
    if not os.path.isdir(folder):
        print(f"skipped: no captures at {folder}")
        sys.exit(77)
    has_tshark = shutil.which("tshark") is not None
    failures, total, compared = [], Counter(), 0
    names = sorted(os.listdir(folder))
    paths = [os.path.join(folder, name) for name in names]
    with ThreadPoolExecutor(4) as pool:  # a tshark takes a second to begin
        judged = dict(zip(names, pool.map(tshark, paths))) if has_tshark else {}
    for name, path in zip(names, paths):
        all_messages = [(ends, m) for ends, octets in streams(path) for m in messages(octets)]
        lines = decode(args.dump, all_messages)
        if len(lines) != len(all_messages):
            failures.append(f"{name}: {len(lines)} answers for {len(all_messages)} messages")
            continue
        got = Counter(NAMES.get(m[18], str(m[18])) for _, m in all_messages)
        total += got
        refused = [line for line in lines if re.match(r"ERROR|PARTIAL|OPEN error|UPDATE reset", line)]
        if args.show:
            print(name, dict(got), "refused:", refused[:4])
        if has_tshark:
            types, malformed, prefixes = judged[name]
            if args.show:
                print("   tshark", dict(types), "malformed", malformed)
            if name in DIFFERENCES:
                continue
            if types != got:
                failures.append(f"{name}: {dict(got)}, tshark has {dict(types)}")
            ours = Counter(word for line in lines for word in line.split() if word[0] in "+-")
            if name in REFUSED and refused and not ours:
                continue
            if name in WITHDRAWN:
                ours, prefixes = (Counter({k[1:]: n for k, n in c.items()}) for c in (ours, prefixes))
            if ours != prefixes:
                failures.append(f"{name}: only ours {sorted((ours - prefixes).items())[:8]}, only tshark's "
                                f"{sorted((prefixes - ours).items())[:8]}")
            compared += sum(prefixes.values())
            if refused and not malformed:
                failures.append(f"{name}: refused {refused[:3]}, tshark finds nothing wrong")
    for name in sorted(os.listdir(os.path.join(DATA, "messages"))):
        if not name.endswith(".bgp"):  # the others are JSON, or BMP
            continue
        with open(os.path.join(DATA, "messages", name), "rb") as source:
            recorded = [((name,) * 4, m) for m in messages(source.read())]
        total += Counter(NAMES.get(m[18], str(m[18])) for _, m in recorded)
        refused = [line for line in decode(args.dump, recorded)
                   if re.match(r"ERROR|PARTIAL|OPEN error|UPDATE reset", line)]
        if not recorded or refused:
            failures.append(f"{name}: {len(recorded)} messages, refused {refused[:3]}")
    print(f"{sum(total.values())} messages: {dict(total)}"
          + (f"; {compared} prefixes are tshark's" if has_tshark
             else "; tshark is not installed, so nothing was compared"))
    for failure in failures:
        print("FAILED:", failure)
    sys.exit(1 if failures else 0)


main()
