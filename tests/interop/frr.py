#!/usr/bin/env python3
"""FRR's bgpd: tables, withdrawal, refresh, ends of both sides, MD5, TTL security, role, ADD-PATH."""

import case  # noqa: F401  (finds tests/lab)
from frr_router import Frr
from routers import main

main(Frr, __doc__)
