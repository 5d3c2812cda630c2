"""A file system of a few MiB that can be filled up and emptied."""

import os
import subprocess

from process import Skip


class SmallDisk:
    """with SmallDisk(scratch, mebibytes) as disk: disk.path, disk.fill(), disk.free()"""

    def __init__(self, scratch, mebibytes):
        self.path = scratch.file("small")
        self._size = mebibytes
        self._filler = os.path.join(self.path, "filler")

    def __enter__(self):
        os.mkdir(self.path)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self._size}m", "tmpfs", self.path],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip(f"mounting a tmpfs needs root ({done.stderr.strip()})")
        return self

    def __exit__(self, kind, value, trace):
        subprocess.run(["umount", "-l", self.path], check=False)

    def fill(self):
        with open(self._filler, "ab", buffering=0) as out:
            try:
                while out.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def free(self):
        os.unlink(self._filler)
