"""A mount namespace of a test's own, in which disks can be full or read-only.

Nothing that is mounted there is seen outside, and it is gone with the process that holds it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


class Mounts:
    """Mounts that only those see who enter: ``env`` makes a forked durajob do so."""

    def __init__(self) -> None:
        """Skips the test where this user may not have a namespace of its own."""
        try:
            self._holder = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            pytest.skip(f"no mount namespace: {error}")
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        try:
            # cat answers once it runs, and so inside.
            self._holder.stdin.write(b"x")
            self._holder.stdin.flush()
        except OSError:
            pass
        if self._holder.stdout.read(1) != b"x":
            self.close()
            pytest.skip("this user may not unshare its mounts")
        self.env = {"FAULTS": "enter_mounts", "MOUNTS": str(self._holder.pid)}

    def run(self, *command: str | Path) -> None:
        """Run a command inside."""
        inside = ["nsenter", f"--target={self._holder.pid}", "--mount", *command]
        ended = subprocess.run(inside, capture_output=True, check=False)
        if ended.returncode != 0 and command[0] == "mount":
            pytest.skip(f"cannot mount: {ended.stderr.decode()}")
        assert ended.returncode == 0, ended.stderr.decode()

    def path(self, path: Path) -> Path:
        """Where a file that lies inside is seen from outside."""
        return Path(f"/proc/{self._holder.pid}/root{os.fspath(path)}")

    def close(self) -> None:
        """Let it all go."""
        self._holder.kill()
        self._holder.communicate()
