#!/usr/bin/env python3
"""SIGTERM ends Lapwing with 0 within five seconds, and its neighbours receive a Cease."""

from case import Net, check, run, table, wait_for


def end(scratch, binary):
    net = Net(scratch, binary)
    birds = [net.add_bird("active", 64501, table()),
             net.add_bird("passive", 64502, table(), active=False)]
    net.start()
    # While a table is on its way, too.
    birds[0].set_routes({f"198.{18 + n // 256}.{n % 256}.0/24": (1103, 65000 + n)
                         for n in range(500)})
    net.lapwing.stop()
    for bird in birds:
        wait_for(lambda b=bird: "Received:" in b.details(), 5, f"{bird.name} was told",
                 bird.details)
        details = bird.details()
        told = next(line for line in details.splitlines() if "Received:" in line)
        check("shutdown" in told or "reset" in told, f"{bird.name} was told something else: {told}")
    # The database was closed well: the next start is as good as the first.
    net.lapwing.start()
    net.settle()
    net.check_tables()
    net.lapwing.stop()


run(end, __doc__)
