"""ExaBGP's process: passes lines that come over a Unix socket on to ExaBGP, and waits for its answers."""

import os
import select
import socket
import sys


def main(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen()
    os.rename(path + ".new", path)
    while True:
        # ExaBGP says nothing unasked: what is readable is the end of it, and ours.
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:
            return
        connection, _ = listener.accept()
        with connection, connection.makefile("r") as lines:
            for line in lines:
                sys.stdout.write(line)
                sys.stdout.flush()
                answer = sys.stdin.readline()  # "done" or "error"
                if not answer:
                    return
                if "error" in answer:
                    sys.stderr.write(f"ExaBGP refused: {line}")


main(sys.argv[1])
