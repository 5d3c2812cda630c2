#!/usr/bin/env python3
"""The API over TLS with a token: read and written by the CLI, refused to everybody else."""

import os
import subprocess

from case import COLLECTOR_AS, Lapwing, check, check_equal, free_port, run


def certificate(scratch, name, host):
    key, cert = scratch.file(f"{name}.key"), scratch.file(f"{name}.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=lab", "-addext", f"subjectAltName={host}"],
                   check=True, capture_output=True, timeout=60)
    return key, cert


def tls(scratch, binary):
    port = free_port()
    key, cert = certificate(scratch, "api", "IP:127.0.0.1")
    _, other = certificate(scratch, "other", "IP:127.0.0.1")
    lapwing = Lapwing(scratch, binary, local_as=COLLECTOR_AS, neighbors=[])
    lapwing.http_listen = [f"tls:127.0.0.1:{port}"]
    lapwing.http_extra = f'tls-certificate = "{cert}"\ntls-key = "{key}"\ntoken = "s3cret"\n'
    lapwing.start()

    def call(*words, token="s3cret", authorities=cert, host="127.0.0.1"):
        env = {**os.environ, "LAPWING_TOKEN": token, "LAPWING_CA": authorities}
        return subprocess.run([binary, *words, "--api", f"https://{host}:{port}"], env=env,
                              capture_output=True, text=True, timeout=30)

    done = call("show", "status")
    check(done.returncode == 0 and "Version" in done.stdout, f"show status over TLS: {done}")
    done = call("reload")
    check(done.returncode == 0 and "nothing differs" in done.stdout, f"reload over TLS: {done}")
    check_equal(call("show", "status", token="wrong").returncode, 1, "a wrong token")
    done = call("show", "status", authorities=other)
    check(done.returncode == 3 and "certificate" in done.stderr, f"another authority: {done}")
    done = call("show", "status", host="localhost")
    check(done.returncode == 3, f"a name that the certificate has not: {done}")
    versions = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1"],
                              input="", capture_output=True, text=True, timeout=30)
    check("Cipher is (NONE)" in versions.stdout, f"TLS 1.1 is refused: {versions.stdout}")
    plain = subprocess.run([binary, "show", "status", "--api", f"http://127.0.0.1:{port}"],
                           capture_output=True, text=True, timeout=30)
    check_equal(plain.returncode, 3, "no TLS where TLS is spoken")


run(tls, __doc__)
