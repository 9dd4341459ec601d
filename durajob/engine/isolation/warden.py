"""The warden: a process that forks workers, watches them, and ends them with all they started.

It has no threads and runs no code of users, so a fork of it is sound and quick: the imports
are made once. The owner's death, by whatever cause, is its own, after it has killed every
worker and all that these started; it holds the thread's lock as long as one of them lives.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

from durajob.engine.isolation import kernel

SPAWN, END = b"s", b"e"
"""What the owner asks for; the number of a worker follows."""
READY, EXITED = b"r", b"x"
"""What the owner is told: that there may be workers from now on, and how one has ended."""
_SIZE = 64


def main() -> NoReturn:
    """``argv``: the control socket, the lock file (-1 for none), the owner's process id."""
    control, lock, owner = map(int, sys.argv[1:4])
    # While there are no workers it may go at once, and lets the lock go too.
    kernel.die_with_parent(True)
    for fd in (control, lock):
        if fd >= 0:
            os.set_inheritable(fd, False)
    kernel.name_process("durajob-warden")
    kernel.adopt_orphans()
    watched = os.pidfd_open(owner)
    if os.getppid() != owner:
        os._exit(0)
    _prepare()
    warden = _Warden(socket.socket(fileno=control), lock, watched)
    warden.serve()


def _prepare() -> None:
    """Import what every worker needs; nothing of a user's, which may not be fit for a fork."""
    import durajob.engine.isolation.worker
    import durajob.targets  # noqa: F401 - imported to be there

    gc.collect()
    gc.freeze()


class _Warden:
    def __init__(self, control: socket.socket, lock: int, owner: int) -> None:
        self._control = control
        self._lock = lock
        self._owner = owner
        self._workers: dict[int, int] = {}  # number by process id
        self._woken, self._waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> NoReturn:
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        # A service manager tells every process of a job to stop. The owner decides: the steps
        # in flight finish.
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _take_no_notice)
        self._send(READY)
        poll = select.poll()
        for fd in (self._control.fileno(), self._owner, self._woken):
            poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            if self._owner in ready:
                self._end_all()
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._control.fileno() in ready:
                self._obey()

    def _obey(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, _SIZE, 1)
        except ConnectionError:
            message, descriptors = b"", []
        if not message:
            self._end_all()
        number = int(message[1:])
        if message[:1] == SPAWN:
            self._spawn(number, descriptors[0])
            return
        for pid, known in self._workers.items():
            if known == number:
                kernel.end_tree(pid)
        self._reap()

    def _spawn(self, number: int, channel: int) -> None:
        kernel.die_with_parent(False)
        warden = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # no more processes: told as a worker that ended at once
            os.close(channel)
            self._tell(number, 0)
            return
        if pid:
            os.close(channel)
            self._workers[pid] = number
            return
        kernel.die_with_parent(True)
        if os.getppid() != warden:
            os._exit(0)
        signal.set_wakeup_fd(-1)
        self._control.close()
        for fd in (self._lock, self._owner, self._woken, self._waking):
            if fd >= 0:
                os.close(fd)
        from durajob.engine.isolation.worker import work

        work(channel)

    def _reap(self) -> None:
        """Take note of who has died, once nobody lives whom the dead have left behind."""
        ended: list[tuple[int, int]] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._workers:
                ended.append((self._workers.pop(pid), status))
        if not ended:
            return
        while orphans := self._orphans():
            for pid in orphans:
                kernel.end_tree(pid)
        for number, status in ended:
            self._tell(number, status)

    def _orphans(self) -> set[int]:
        """Processes below this one that are no worker's, by the one they hang from."""
        return kernel.below([os.getpid()]) - kernel.below(self._workers) - self._workers.keys()

    def _tell(self, number: int, status: int) -> None:
        self._send(EXITED + f"{number} {status}".encode())

    def _send(self, message: bytes) -> None:
        try:
            self._control.send(message)
        except OSError:
            self._end_all()

    def _end_all(self) -> NoReturn:
        for pid in self._workers:
            kernel.end_tree(pid)
        while orphans := self._orphans():
            for pid in orphans:
                kernel.end_tree(pid)
        os._exit(0)


def _take_no_notice(number: int, frame: FrameType | None) -> None:
    """A handler, not SIG_IGN: what is ignored stays so in every program that is started."""
