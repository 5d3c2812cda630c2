#!/usr/bin/env python3
"""The Cloudflare outage of 2022-06-21 as an MRT file: as13335.py EVENTS.jsonl OUTPUT

Each row of the source is what one neighbour (`peer_ip`) said of one prefix: without `ts` its state before
the outage, with `ts` an UPDATE (`W`: a withdrawal). The states become a table, a second before the
first UPDATE; the UPDATEs follow in order of time, those of one second in the order of the source. What
the source does not tell is chosen here: the collector, and as the neighbour's AS the first one on its
paths.
"""

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))

from mrt import MrtWriter, Peer  # noqa: E402


def path_of(row):
    """ASNs; an AS_SET stands as "{1,2}" in the source."""
    hops = []
    for hop in row["path"]:
        if hop.startswith("{"):
            hops.append(frozenset(int(asn) for asn in hop.strip("{}").split(",")))
        else:
            hops.append(int(hop))
    return tuple(hops)


def write_mrt(source, output):
    """Returns how many routes the table and how many announcements and withdrawals the rest has."""
    rows = [json.loads(line) for line in Path(source).read_text().splitlines()]
    first = {}
    for row in rows:
        if row["path"]:
            first.setdefault(row["peer_ip"], Counter())[row["path"][0]] += 1
    peers = [Peer(int(asns.most_common(1)[0][0]), address,
                  local_address="2001:db8::100" if ":" in address else "192.0.2.100")
             for address, asns in sorted(first.items())]
    number = {peer.address: n for n, peer in enumerate(peers)}
    table, updates = {}, []
    for row in rows:
        if "ts" in row:
            updates.append(row)
        else:
            table.setdefault(row["pfx"], {})[number[row["peer_ip"]]] = path_of(row)
    updates.sort(key=lambda row: row["ts"])
    writer = MrtWriter()
    writer.table(updates[0]["ts"] - 1, peers, table)
    announced = 0
    for row in updates:
        peer = peers[number[row["peer_ip"]]]
        if row.get("W"):
            writer.update(row["ts"], peer, withdraw=[row["pfx"]])
        else:
            announced += 1
            writer.update(row["ts"], peer, path_of(row), announce=[row["pfx"]])
    writer.save(output)
    return sum(map(len, table.values())), announced, len(updates) - announced


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    print("table %d, announcements %d, withdrawals %d" % write_mrt(sys.argv[1], sys.argv[2]))
