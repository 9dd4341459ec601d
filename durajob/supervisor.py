"""What a service manager is told of this process (sd_notify(3)), where it asks for that.

systemd names a socket in NOTIFY_SOCKET, and in WATCHDOG_USEC how often it wants a sign of life.
Nothing that goes wrong here is told to anybody: whoever does not listen is none the worse off.
The standard library only.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import MutableMapping
from contextlib import suppress

from durajob import clock

_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_APART = 0.1  # seconds between two statuses: a fan-out would flood the socket


class Supervisor:
    """The service manager's socket. Safe to use from many threads; never blocks, never raises."""

    @staticmethod
    def asked_for(environ: MutableMapping[str, str]) -> Supervisor | None:
        """None where nobody asks. What asks is taken out of ``environ``: the programs that steps
        start are not to speak for this process."""
        taken = {name: environ.pop(name) for name in _NAMES if name in environ}
        address = taken.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return None
        return Supervisor(address, taken)

    def __init__(self, address: str, taken: MutableMapping[str, str]) -> None:
        self._taken = taken
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._last = 0.0
        self._ended = threading.Event()

    def begin(self) -> None:
        """The command was understood, and is at work from now on."""
        self._send("READY=1")
        period = self._period()
        if period is not None:
            threading.Thread(
                target=self._watch, args=(period / 2,), name="durajob watchdog", daemon=True
            ).start()

    def status(self, text: str, *, important: bool = False) -> None:
        """Say in a line how things stand; one of many in a row may be left out."""
        now = clock.monotonic()
        if important or now - self._last >= _APART:
            self._last = now
            self._send(f"STATUS={' '.join(text.split())[:500]}")

    def end(self) -> None:
        """The work is done; only the end of the process is to come."""
        self._ended.set()
        self._send("STOPPING=1")

    def give_back(self, environ: MutableMapping[str, str]) -> None:
        """Another program takes the place of this one, and speaks to the same socket."""
        self._ended.set()
        environ.update(self._taken)

    def _period(self) -> float | None:
        """Seconds within which a sign of life is wanted."""
        wanted = self._taken.get("WATCHDOG_USEC", "")
        whom = self._taken.get("WATCHDOG_PID", "")
        if not wanted.isdecimal() or int(wanted) == 0 or whom not in ("", str(os.getpid())):
            return None
        return int(wanted) / 1_000_000

    def _watch(self, pause: float) -> None:
        """A sign of life as long as Python runs its threads and the main one is there. A step that
        takes long is no reason to be killed; one that stops the interpreter is."""
        main = threading.main_thread()
        while main.is_alive():
            self._send("WATCHDOG=1")
            if self._ended.wait(pause):
                return

    def _send(self, text: str) -> None:
        with suppress(OSError):
            self._socket.sendto(text.encode("utf-8", "replace"), self._address)
