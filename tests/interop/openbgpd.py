#!/usr/bin/env python3
"""OpenBGPD: tables, withdrawal, refresh, ends of both sides, MD5, TTL security, role, ADD-PATH."""

import case  # noqa: F401  (finds tests/lab)
from openbgpd_router import OpenBgpd
from routers import main

main(OpenBgpd, __doc__)
