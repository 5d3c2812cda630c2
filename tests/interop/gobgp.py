#!/usr/bin/env python3
"""GoBGP: tables, withdrawal, refresh, ends of both sides, MD5, TTL security, ADD-PATH."""

import case  # noqa: F401  (finds tests/lab)
from gobgp_router import GoBgp
from routers import main

main(GoBgp, __doc__)
