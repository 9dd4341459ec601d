"""The workers of one owner: made when they are needed, used again while they behave."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from durajob.engine.isolation import wire
from durajob.engine.isolation.conversation import Conversation, Gone, NotBegun, Watched, Worker
from durajob.engine.isolation.limits import Limits
from durajob.engine.isolation.warden import END, EXITED, READY, SPAWN
from durajob.engine.pool import Drained
from durajob.errors import StepFault
from durajob.registry import Definition
from durajob.steps.limits import StepDied

_TRIES = 3  # workers that may go before a step has begun in one
_PATIENCE = 5.0  # seconds in which the warden ends its own
_MAIN = "from durajob.engine.isolation.warden import main; main()"


class CutOff(Drained):
    """The run is over, and the step was ended with it."""


class Workers:
    """Runs steps in processes of their own; as many at once as are asked for at once."""

    def __init__(self, definition: Definition, lock: int) -> None:
        """``lock`` is the descriptor that holds the thread's lock: it is held until the last
        process of any step is gone."""
        # Its input is the thread's affair, and may be large.
        self._definition = definition._replace(input={})
        self._lock = lock
        self._mutex = threading.Lock()
        self._warden: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._all: dict[int, Worker] = {}
        self._idle: list[Worker] = []
        self._made = 0
        self._over = False
        self._ready = False  # whether there may be workers

    def warm(self) -> None:
        """Have the first worker made, so that it is there when the first step needs it."""
        with self._mutex:
            if self._made == 0:
                self._idle.append(self._make())

    def run(
        self,
        path: Sequence[str],
        state: Any,
        config: Mapping[str, Any],
        *,
        context: Watched,
        answers: Mapping[str, Callable[..., Any]],
        limits: Limits,
    ) -> Any:
        """Run the step that the path leads to; what it returned.

        Raises:
            StepTimeout: when a limit has passed. Nothing of the step runs any more.
            StepDied: when its process has died.
            CutOff: when the run's own time is over.
            BaseException: whatever the step raised.
        """
        payload = _payload(path, state, config, context)
        for _ in range(_TRIES):
            self._check_time()
            worker = self._take()
            conversation = Conversation(worker, context, answers, limits)
            try:
                return conversation.hold(payload)
            except NotBegun as error:
                refusal = error
            except Gone as gone:
                self._check_time()
                raise StepDied(f"its process {self._fate(worker)}") from gone
            except BaseException:
                self._check_time()
                raise
            finally:
                if conversation.behaved:
                    self._give_back(worker)
                else:
                    self._end(worker)
                conversation.close()
        raise StepDied(f"its process {self._fate(worker)} before the step began") from refusal

    def cut_off(self) -> bool:
        """The run is over: end every worker at once, with what it runs. Whether one ran."""
        self._over = True
        with self._mutex:
            workers = list(self._all.values())
            ran = len(workers) > len(self._idle)
        for worker in workers:
            self._ask(END, worker)
        for worker in workers:
            worker.ended.wait(_PATIENCE)
        return ran

    def close(self) -> None:
        """End everything, and wait until it is gone."""
        self._over = True
        with self._mutex:
            warden, control = self._warden, self._control
        if warden is None or control is None:
            return
        if self._ready:
            with suppress(OSError):
                control.shutdown(socket.SHUT_WR)
        else:
            warden.kill()  # it would first import what nobody needs any more
        with suppress(subprocess.TimeoutExpired):
            warden.wait(_PATIENCE)
        for worker in self._all.values():
            worker.channel.close()
        control.close()

    def _take(self) -> Worker:
        with self._mutex:
            while self._idle:
                worker = self._idle.pop()
                if not worker.ended.is_set():
                    return worker
            return self._make()

    def _give_back(self, worker: Worker) -> None:
        with self._mutex:
            self._idle.append(worker)

    def _make(self) -> Worker:
        control = self._control or self._start_warden()
        self._made += 1
        ours, theirs = socket.socketpair()
        worker = Worker(self._made, ours)
        self._all[worker.number] = worker
        with theirs:
            socket.send_fds(control, [SPAWN + str(worker.number).encode()], [theirs.fileno()])
        wire.send(ours, ("load", self._definition, sys.path))
        return worker

    def _start_warden(self) -> socket.socket:
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        kept = (theirs.fileno(), self._lock)
        with theirs:
            self._warden = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, *map(str, kept), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=1,  # said, since else a program of a step prints to its attempt's log
                stderr=2,
                pass_fds=kept,
                start_new_session=True,  # a terminal's signals are for the owner
            )
        self._control = ours
        threading.Thread(target=self._listen, args=(ours,), daemon=True).start()
        return ours

    def _listen(self, control: socket.socket) -> None:
        """Hear of workers that have ended, until the warden has."""
        while True:
            try:
                message = control.recv(64)
            except OSError:
                message = b""
            if not message:
                break
            if message == READY:
                self._ready = True
            elif message[:1] == EXITED:
                self._note_end(*map(int, message[1:].split()))
        with self._mutex:
            left = list(self._all)
            warden = self._warden
            if self._control is control and not self._over:
                self._control, self._ready = None, False  # the next worker gets a new one
                control.close()
        for number in left:
            self._note_end(number, None)
        if warden is not None:
            warden.wait()

    def _note_end(self, number: int, status: int | None) -> None:
        with self._mutex:
            worker = self._all.pop(number, None)
        if worker is not None:
            worker.status = status
            # Whoever listens to it hears the end, though a copy of its channel may be about.
            with suppress(OSError):
                worker.channel.shutdown(socket.SHUT_RDWR)
            worker.ended.set()

    def _end(self, worker: Worker) -> None:
        self._ask(END, worker)
        worker.ended.wait(_PATIENCE)
        worker.channel.close()

    def _ask(self, what: bytes, worker: Worker) -> None:
        control = self._control
        if control is not None and not worker.ended.is_set():
            with suppress(OSError):  # the warden is gone, and so is the worker
                control.send(what + str(worker.number).encode())

    def _check_time(self) -> None:
        if self._over:
            raise CutOff()

    def _fate(self, worker: Worker) -> str:
        worker.ended.wait(_PATIENCE)
        status = worker.status
        if status is None:
            return "is gone"
        if not os.WIFSIGNALED(status):
            return f"ended with exit status {os.WEXITSTATUS(status)}"
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL:
            return "was killed by signal 9, probably out of memory"
        try:
            return f"was killed by signal {number} ({signal.Signals(number).name})"
        except ValueError:
            return f"was killed by signal {number}"


def _payload(path: Sequence[str], state: Any, config: Mapping[str, Any], context: Watched) -> bytes:
    attributes = {
        key: value
        for key, value in vars(context).items()
        if not key.startswith("_") and isinstance(value, str | int | float | bool | None)
    }
    try:
        return pickle.dumps((tuple(path), state, config, attributes), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise StepFault(
            f"the state cannot be handed to the process of step {context.step}: {error}",
            hint="keep plain data in the state, or leave the step's timeout and isolate out",
        ) from error
