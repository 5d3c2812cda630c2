#!/usr/bin/env python3
"""ExaBGP: tables, withdrawal, refresh, ends of both sides, MD5, ADD-PATH."""

import case  # noqa: F401  (finds tests/lab)
from exabgp_router import ExaBgp
from routers import main

main(ExaBgp, __doc__)
