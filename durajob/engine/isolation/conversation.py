"""One attempt in a worker, as the owner sees it: it hands over, listens, and keeps the time."""

from __future__ import annotations

import codecs
import os
import pickle
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol

from durajob import clock
from durajob.engine.isolation import wire
from durajob.engine.isolation.failure import describe, rebuild
from durajob.engine.isolation.limits import Limits, Watch
from durajob.engine.isolation.worker import TOLD
from durajob.errors import StepFault
from durajob.steps.limits import StepTimeout

START = 300.0
"""Seconds in which a worker must have loaded the workflow, and then have begun the step."""
_CHUNK = 1 << 16
_CHUNKS = 64  # at a time, so that a step that prints for ever is stopped, too
_ENDS = ("result", "raised")


class NotBegun(Exception):
    """The worker has gone before the step began: another may try."""


class Gone(Exception):
    """The worker has gone while the step ran."""


class Watched(Protocol):
    """The step's context, as far as keeping the time needs it."""

    thread: str
    step: str
    attempt: int
    beaten: float  # when the step last showed a sign of life, on the monotonic clock

    def print(self, text: str, /) -> None: ...


class Worker:
    """The owner's end of a worker process."""

    def __init__(self, number: int, channel: socket.socket) -> None:
        self.number = number
        self.channel = channel
        self.inbox = wire.Inbox(channel)
        self.loaded = False
        self.status: int | None = None  # how its process ended, once it has
        self.ended = threading.Event()


class Conversation:
    """What is said during one attempt."""

    def __init__(
        self,
        worker: Worker,
        context: Watched,
        answers: Mapping[str, Callable[..., Any]],
        limits: Limits,
    ) -> None:
        self._worker = worker
        self._context = context
        self._answers = answers
        self._limits = limits
        self._watch: Watch | None = None
        self._messages: Iterator[tuple[Any, ...]] = iter(())
        self._sending = threading.Lock()
        self._raised: dict[int, BaseException] = {}
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._output, self._input = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        self._poll = select.poll()
        self._poll.register(worker.channel.fileno(), select.POLLIN)
        self._poll.register(self._output, select.POLLIN)
        self.behaved = False
        """Whether the worker has said how the step ended, and has left nothing running."""

    def hold(self, payload: bytes) -> Any:
        """Have the step run; what it returned.

        Raises:
            NotBegun: when the worker was gone before.
            Gone: when it went meanwhile.
            StepTimeout: when a limit has passed; the worker has still to be ended.
            BaseException: whatever the step raised.
        """
        self._await_loaded()
        try:
            with self._sending:
                wire.send(self._worker.channel, ("run", payload), [self._input])
        except ConnectionError as error:
            raise NotBegun from error
        while True:
            kind, *rest = self._next()
            if kind == "begun":
                self._watch = Watch(self._limits)
                self._stop_writing()
            elif kind == "tell":
                name, *args = rest
                assert name in TOLD
                getattr(self._context, name)(*args)
            elif kind == "ask":
                self._answer_later(*rest)
            else:
                content, left_children = rest
                self.behaved = not left_children
                if kind == "result":
                    return pickle.loads(content)
                failure, asked = content
                raise self._raised.get(asked) or rebuild(failure)

    def close(self) -> None:
        """Take what was printed to the last, once nobody is left who could print."""
        self._stop_writing()
        while self._has_output() and self._read_output():
            pass
        self._print(b"", final=True)
        os.close(self._output)

    def _await_loaded(self) -> None:
        if self._worker.loaded:
            return
        kind, *rest = self._next()
        if kind == "unfit":
            raise StepFault(
                "its process could not load the workflow", hint="its log tells why"
            ) from rebuild(rest[0])
        self._worker.loaded = True

    def _next(self) -> tuple[Any, ...]:
        """The next message; meanwhile what is printed is passed on, and the time is kept."""
        worker, watch, context = self._worker, self._watch, self._context
        latest = clock.monotonic() + START
        while True:
            message = self._waiting()
            if message is not None and message[0] in _ENDS:
                return message  # in time, though it may be heard late
            left = latest - clock.monotonic() if watch is None else watch.left(context.beaten)
            if left is not None and left <= 0:
                if watch is None:
                    raise StepTimeout(f"its process did not begin within {START:g} s")
                raise watch.error(context.beaten, "its process was killed")
            if message is not None:
                return message
            ready = {fd for fd, _ in self._poll.poll(None if left is None else left * 1000 + 1)}
            if self._output in ready and not self._read_output():
                self._poll.unregister(self._output)
            if worker.channel.fileno() in ready:
                self._messages = worker.inbox.take()

    def _waiting(self) -> tuple[Any, ...] | None:
        try:
            return next(self._messages, None)
        except EOFError as error:
            raise (NotBegun if self._watch is None else Gone) from error

    def _has_output(self) -> bool:
        return bool(select.select([self._output], [], [], 0)[0])

    def _stop_writing(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def _answer_later(self, number: int, name: str, args: Any, kwargs: Any) -> None:
        # A call may wait long, for a lock; the clock must be kept meanwhile.
        threading.Thread(
            target=copy_context().run, args=(self._answer, number, name, args, kwargs), daemon=True
        ).start()

    def _answer(self, number: int, name: str, args: Any, kwargs: Any) -> None:
        fine, value = True, None
        try:
            if name.startswith("_"):
                raise AttributeError(name)
            call = self._answers.get(name) or getattr(self._context, name)
            value = call(*args, **kwargs)
            pickle.dumps(value)
        except BaseException as error:
            self._raised[number] = error
            fine, value = False, describe(error)
        with suppress(OSError), self._sending:  # the worker may be gone meanwhile
            wire.send(self._worker.channel, ("reply", number, fine, value))

    def _read_output(self) -> bool:
        """Pass on what was printed; whether more may come."""
        for _ in range(_CHUNKS):
            try:
                data = os.read(self._output, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._print(data)
        return True

    def _print(self, data: bytes, *, final: bool = False) -> None:
        text = self._decoder.decode(data, final)
        if text:
            self._context.print(text)
