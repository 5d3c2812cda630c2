"""Whether a router notices anything: how long its changes take until Lapwing's engine has them.

By the count of routes that the engine keeps: what the API's /routes shows is on disk.
"""

import threading
import time

from process import LabError, wait_for

SLOWEST = 4  # seconds that a change may take: below half of a hold time of nine


class Probe(threading.Thread):
    """The first BIRD of `net` announces `kept` and, every second time, `more`, until `stop`."""

    def __init__(self, net, kept, more):
        super().__init__(daemon=True)
        self._net = net
        self._kept, self._more = kept, more
        self._end = threading.Event()
        self.taken = []
        self.failure = None
        self.start()

    def run(self):
        bird, number = self._net.birds[0], 0
        try:
            while not self._end.wait(0.2):
                number += 1
                bird.set_routes(self._kept if number % 2 else {**self._kept, **self._more})
                begin = time.monotonic()
                wait_for(lambda: self._held() == len(bird.routes), 30, f"{len(bird.routes)} routes")
                self.taken.append(time.monotonic() - begin)
        except (LabError, OSError) as error:
            self.failure = error

    def _held(self):
        return self._net.lapwing.peers()[self._net.birds[0].name]["routes"]

    def stop(self, what):
        self._end.set()
        self.join(40)
        if self.failure is not None:
            raise LabError(f"{what}: {self.failure}")
        if len(self.taken) < 5:
            raise LabError(f"{what}: only {len(self.taken)} changes were tried")
        if max(self.taken) > SLOWEST:
            raise LabError(f"{what}: a change took {max(self.taken):.1f} s to be read")
        log = self._net.birds[0].log()
        if log.count("BGP session established") != 1:
            raise LabError(f"{what}: BIRD's sessions\n{log[-1500:]}")
        return f"{len(self.taken)} changes of BIRD's route, the slowest {max(self.taken):.2f} s"
