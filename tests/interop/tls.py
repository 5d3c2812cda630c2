#!/usr/bin/env python3
"""The API over TLS with a token: read and written by the CLI, refused to everybody else."""

import os
import shutil
import subprocess

from case import COLLECTOR_AS, Lapwing, check, check_equal, free_port, run


def certificate(scratch, name, host):
    key, cert = scratch.file(f"{name}.key"), scratch.file(f"{name}.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=lab", "-addext", f"subjectAltName={host}"],
                   check=True, capture_output=True, timeout=60)
    return key, cert


def renewal(lapwing, scratch, call, key, cert):
    """A new certificate in the same files is shown after a reload; a wrong one changes nothing."""
    def place(new_key, new_cert):
        for source, target in ((new_key, key), (new_cert, cert)):
            shutil.copyfile(source, target)

    new_key, new_cert = certificate(scratch, "new", "IP:127.0.0.1")
    late_cert = scratch.file("late.crt")  # it ended a day before it began
    subprocess.run(["openssl", "x509", "-in", new_cert, "-signkey", new_key, "-days", "-1",
                    "-out", late_cert], check=True, capture_output=True, timeout=60)
    old_cert = scratch.file("old.crt")
    shutil.copyfile(cert, old_cert)
    for name, pair, reason in (("a key of another", (new_key, old_cert), "cannot use the key"),
                               ("no certificate", (new_key, __file__), "cannot use the certificate"),
                               ("an expired one", (new_key, late_cert), "it has expired at 20")):
        kept = scratch.file("kept.key"), scratch.file("kept.crt")
        shutil.copyfile(key, kept[0])
        shutil.copyfile(cert, kept[1])
        place(*pair)
        done = call("reload", authorities=old_cert)
        check(done.returncode == 1 and "nothing was changed" in done.stderr + done.stdout
              and reason in done.stderr + done.stdout, f"{name}: {done}")
        check_equal(call("show", "status", authorities=old_cert).returncode, 0, f"{name}: as before")
        place(*kept)
    place(new_key, new_cert)
    check_equal(call("show", "status", authorities=old_cert).returncode, 0, "not before a reload")
    done = call("reload", authorities=old_cert)
    check(done.returncode == 0 and "new certificate, valid until 20" in done.stdout, f"{done}")
    check("new certificate, valid until 20" in lapwing.process.log(), "the log says so")
    check_equal(call("show", "status", authorities=new_cert).returncode, 0, "the new one is shown")
    check_equal(call("show", "status", authorities=old_cert).returncode, 3, "the old one is not")
    done = call("reload", authorities=new_cert)
    check("nothing differs" in done.stdout, f"the same once more: {done}")


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
    renewal(lapwing, scratch, call, key, cert)


run(tls, __doc__)
