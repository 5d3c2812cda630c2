#!/usr/bin/env python3
"""TTL security on the wire, and a link-local IPv6 neighbour with its scope, in a network of our own."""

import json
import os
import subprocess
import sys
import time

from case import COLLECTOR_AS, Lapwing, Neighbor, check, free_port, run, wait_for
from process import LabError, Skip
from speaker import Speaker

INSIDE = "LAPWING_TEST_NETWORK"


def enter_network():
    """Runs this program again in a network namespace of its own, where we may make interfaces."""
    if os.environ.get(INSIDE):
        return
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode != 0:
        print("skipped: no network namespace can be made here")
        sys.exit(77)
    os.execvpe("unshare", [*unshare, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def link_local(interface):
    for row in json.loads(ip("-j", "addr", "show", "dev", interface)):
        for address in row["addr_info"]:
            if address["scope"] == "link" and "tentative" not in address:
                return address["local"]
    return None


def transport(scratch, binary):
    ip("link", "set", "lo", "up")
    ip("link", "add", "lapwing0", "type", "veth", "peer", "name", "router0")
    for interface in ("lapwing0", "router0"):
        ip("link", "set", interface, "up")
    ours = wait_for(lambda: link_local("lapwing0"), 10, "a link-local address of lapwing0")
    theirs = wait_for(lambda: link_local("router0"), 10, "a link-local address of router0")

    port = free_port()
    neighbors = [
        Neighbor("near", "127.0.0.11", 64501, local_address="127.0.0.1", passive=True,
                 extra={"ttl-security": "true"}),
        Neighbor("linked", f"{theirs}%lapwing0", 64502, passive=True),
    ]
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=neighbors,
                      listen=[f"127.0.0.1:{port}", f"[::]:{port}"]).start()

    def state(name):
        return lapwing.peers()[name]["state"]

    # RFC 5082: what has crossed a router is dropped by the kernel, so no OPEN is ever read.
    try:
        Speaker(asn=64501, address="127.0.0.11", peer_address="127.0.0.1", peer_port=port,
                router_id="192.0.2.11", ttl=64)
    except LabError:
        pass
    else:
        raise LabError("a neighbour with TTL 64 got through ttl-security")
    check(lapwing.peers()["near"]["established"] == 0, "it was established")
    near = Speaker(asn=64501, address="127.0.0.11", peer_address="127.0.0.1", peer_port=port,
                   router_id="192.0.2.11", ttl=255)
    wait_for(lambda: state("near") == "Established", 10, "a neighbour with TTL 255", lapwing.peers)

    linked = Speaker(asn=64502, address=f"{theirs}%router0", peer_address=f"{ours}%router0",
                     peer_port=port, router_id="192.0.2.12")
    wait_for(lambda: state("linked") == "Established", 10, "the link-local neighbour", lapwing.peers)
    near.close()
    linked.close()
    time.sleep(0.1)
    lapwing.stop()


enter_network()
run(transport, __doc__)
