#!/usr/bin/env python3
"""What surrounds the program: the unit's sandbox, what `cmake --install` and the package put where.

run.py --binary lapwing --build DIR [--deb FILE]. Exit 77: this machine has not the tools.
"""

import argparse
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
EXPOSURE_LIMIT = 1.6
WANTED = {
    "usr/bin/lapwing": 0o755,
    "usr/lib/systemd/system/lapwing.service": 0o644,
    "usr/lib/sysusers.d/lapwing.conf": 0o644,
    "usr/share/doc/lapwing/lapwing.toml.example": 0o644,
    "usr/share/doc/lapwing/OPERATION.md": 0o644,
    "usr/share/doc/lapwing/grafana.json": 0o644,
    "usr/share/bash-completion/completions/lapwing": 0o644,
    "usr/share/zsh/vendor-completions/_lapwing": 0o644,
}
PAGES = ("usr/share/man/man8/lapwing.8.gz", "usr/share/man/man5/lapwing.toml.5.gz")


class Fault(Exception):
    """What is not as it should be."""


def check(fine, text):
    if not fine:
        raise Fault(text)


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    check(done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def check_unit():
    unit = os.path.join(ROOT, "systemd", "lapwing.service")
    text = open(unit).read()
    for line in ("Type=notify", "WatchdogSec=60", "StateDirectory=lapwing",
                 "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "ExecReload=/usr/bin/lapwing reload"):
        check(f"\n{line}\n" in text, f"the unit lacks {line}")
    said = output("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", said)[1])
    check(exposure <= EXPOSURE_LIMIT, f"exposure {exposure}, at most {EXPOSURE_LIMIT}")
    print(f"exposure {exposure}")


def check_configuration(binary):
    """The configurations that come with the program are valid."""
    for name in ("lapwing.toml", "lapwing.toml.example"):
        output(binary, "check", "-c", os.path.join(ROOT, "systemd", name))


def check_tree(tree, pages):
    for path, mode in {**WANTED, **{p: 0o644 for p in (PAGES if pages else ())}}.items():
        full = os.path.join(tree, path)
        check(os.path.isfile(full), f"{path} is missing")
        check(stat.S_IMODE(os.stat(full).st_mode) == mode, f"{path} has another mode than {mode:o}")
    for path in ("usr/lib/systemd/system/lapwing.service",):
        check("ExecStart=/usr/bin/lapwing run" in open(os.path.join(tree, path)).read(), path)


def check_install(build, scratch, pages):
    output("cmake", "--install", build, "--prefix", "/usr", env={**os.environ, "DESTDIR": scratch})
    check_tree(scratch, pages)
    check(not os.path.exists(os.path.join(scratch, "etc")), "`cmake --install` leaves /etc alone")


def check_scripts():
    for name in ("postinst", "prerm", "postrm"):
        path = os.path.join(ROOT, "systemd", "debian", name)
        check(os.access(path, os.X_OK), f"{name} is executable")
        output("sh", "-n", path)
    output("bash", "-n", os.path.join(ROOT, "systemd", "completion", "lapwing.bash"))


def check_deb(deb, scratch, pages):
    output("dpkg-deb", "--raw-extract", deb, scratch)
    check_tree(scratch, pages)
    conf = os.path.join(scratch, "etc/lapwing/lapwing.toml")
    check(os.path.isfile(conf), "the package brings /etc/lapwing/lapwing.toml")
    control = os.path.join(scratch, "DEBIAN")
    check(open(os.path.join(control, "conffiles")).read().split() == ["/etc/lapwing/lapwing.toml"],
          "the configuration is a conffile")
    for name in ("postinst", "prerm", "postrm"):
        check(os.access(os.path.join(control, name), os.X_OK), f"{name} of the package")
    fields = output("dpkg-deb", "--field", deb)
    for field in ("Package: lapwing", "Architecture: ", "Maintainer: ", "Depends: "):
        check(field in fields, f"the package lacks {field}")
    depends = re.search(r"^Depends: (.*)$", fields, re.M)[1]
    check("libssl3" in depends and "systemd" in depends, f"Depends: {depends}")
    listing = output("dpkg-deb", "--contents", deb)
    strange = [x for x in listing.splitlines() if " root/root " not in x]
    check(not strange, f"not root's: {strange[:3]}")
    places = {x.split()[5].split("/")[1] for x in listing.splitlines() if x.split()[5] != "./"}
    check(places <= {"usr", "etc"}, f"files outside of /usr and /etc: {places}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--build", required=True)
    args = parser.parse_args()
    for tool in ("systemd-analyze", "dpkg-deb", "cpack"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not installed")
            return 77
    pages = os.path.exists(os.path.join(args.build, "systemd", "lapwing.8.gz"))
    try:
        check_unit()
        check_configuration(args.binary)
        check_scripts()
        with tempfile.TemporaryDirectory() as scratch:
            check_install(args.build, os.path.join(scratch, "install"), pages)
            output("cpack", "-G", "DEB", "-B", scratch, cwd=args.build)
            debs = [os.path.join(scratch, n) for n in os.listdir(scratch) if n.endswith(".deb")]
            check(len(debs) == 1, f"one package: {debs}")
            check_deb(debs[0], os.path.join(scratch, "deb"), pages)
    except Fault as fault:
        print(f"FAILED: {fault}")
        return 1
    print("passed")
    return 0


sys.exit(main())
