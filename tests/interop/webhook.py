#!/usr/bin/env python3
"""A webhook over TLS: signed, tried again by status and Retry-After, after a timeout and an outage.

Python's own HTTPS server is the receiver; its certificates come from an authority of the test. What
it took (answered with 200) is every event, once, in the journal's order.
"""

import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

from case import check, check_equal, run, wait_for
from feed import Certificates, Feed
from process import free_port

COUNT, BATCH, SECRET = 600, 5, "s3cret of the webhook"
SLACK = 0.05  # of timers, seconds


class Receiver:
    """Answers each request by the next of `answers` (status, headers, pause), then with 200."""

    def __init__(self, port, certificate, key, log, answers=()):
        self.log = log          # (time, status, body) of every request, shared by all receivers
        self.answers = list(answers)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 10  # seconds, for a client that says nothing

            def do_POST(self):
                receiver.take(self)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = False  # close() waits for what is being answered
        self.server.handle_error = lambda *_: None  # handshakes that the client ends
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, request):
        arrived = time.monotonic()
        body = request.rfile.read(int(request.headers["Content-Length"]))
        wanted = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        signed = request.headers.get("X-Lapwing-Signature") == wanted
        status, headers, pause = self.answers.pop(0) if self.answers else (200, {}, 0)
        if not signed:
            status = 403
        self.log.append((arrived, status, body))
        time.sleep(pause)
        try:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", "0")
            request.end_headers()
        except OSError:
            pass  # it did not wait for the answer

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def taken(log):
    return [event["id"] for _, status, body in log if status == 200 for event in json.loads(body)]


def webhook(scratch, binary):
    certificates = Certificates(scratch)
    good = (certificates.certificate, certificates.key)
    port = free_port()
    log = []
    hang = (0, {}, 3)  # longer than the timeout
    receiver = Receiver(port, *good, log, [(500, {}, 0), (429, {"Retry-After": "2"}, 0), hang,
                                           (503, {}, 0)])
    sink = {"url": f"https://localhost:{port}/hook", "ca-file": certificates.ca, "batch": BATCH,
            "secret": SECRET, "timeout": 1, "longest-pause": 1, "name": "hook"}
    feed = Feed(scratch, binary, [("webhook", sink)], store=scratch.file("store"),
                arguments=["--count", str(COUNT), "--rate", "20", "--until-delivered"])

    wait_for(lambda: len(taken(log)) >= 100, 60, "100 events", feed.tail)
    check_equal([status for _, status, _ in log[:5]], [500, 429, 0, 503, 200], "the first answers")
    check_equal(len({body for _, _, body in log[:5]}), 1, "bodies of the first request's tries")
    pauses = [b[0] - a[0] for a, b in zip(log[:4], log[1:5])]
    check(0.1 < pauses[0] < 2, f"tried again soon after 500: {pauses}")
    check(2 - SLACK < pauses[1] < 5, f"tried again when Retry-After says so: {pauses}")
    check(1 - SLACK < pauses[2] < 3, f"given up after the timeout, before the answer: {pauses}")

    def refused(what, certificate, word):
        """A receiver whose certificate is wrong: said clearly, tried again, nothing delivered."""
        nonlocal receiver
        receiver.close()
        count = len(log)
        before = feed.sinks().get("hook", {"retries": 0})["retries"]
        receiver = Receiver(port, *certificate, log)
        wait_for(lambda: "hook" in feed.sinks() and word in feed.sinks()["hook"]["last_error"]
                 and feed.sinks()["hook"]["retries"] >= before + 2, 60,
                 f"{what}: the error says {word!r}, and it is tried again", feed.tail)
        check_equal(len(log), count, f"{what}: requests to a receiver that cannot be trusted")
        print(f"{what}: {feed.sinks()['hook']['last_error']}")

    feed.events()
    refused("an expired certificate", certificates.make_expired("localhost"), "expired")
    refused("another name's certificate", certificates.make("elsewhere.example"), "for another name")
    receiver.close()
    receiver = Receiver(port, *good, log)
    feed.wait_delivered()
    receiver.close()
    check_equal(taken(log) == [event["id"] for event in feed.events()], True,
                "every event, once, in the journal's order")
    check_equal([status for _, status, _ in log if status == 403], [], "requests with a wrong HMAC")


run(webhook, __doc__)
