"""A worker: loads the workflow's target, then runs one step after the other as it is told.

Control comes over a socket of its own. Descriptors 1 and 2 belong to the step: for each
attempt they are pointed at what the owner sends along, so what the step and the programs that
it starts print is the attempt's, whoever wrote it.
"""

from __future__ import annotations

import faulthandler
import io
import os
import pickle
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from langchain_core.runnables.config import var_child_runnable_config

from durajob.engine.isolation import kernel, node, wire
from durajob.engine.isolation.failure import describe, rebuild
from durajob.errors import ResultNotStorable, StepFault
from durajob.model import COMPENSATION
from durajob.policies import StepPolicy
from durajob.steps.context import current
from durajob.steps.logged import logging_to_steps
from durajob.targets import Loaded, load

TOLD = frozenset({"beat", "print", "report"})
"""Methods of a step's context that nobody waits for: they return nothing."""
_TELL_EVERY = 0.05  # seconds between two of a kind that would say much the same


def work(descriptor: int) -> NoReturn:
    """Serve the owner at the other end of the socket until it goes."""
    os.setsid()
    kernel.name_process("durajob-worker")
    kernel.adopt_orphans()
    _outlive_signals()
    _set_up_streams()
    channel = socket.socket(fileno=descriptor)
    try:
        _serve(channel)
    except (EOFError, ConnectionError):
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(70)


def _serve(channel: socket.socket) -> NoReturn:
    loaded = _load(channel)
    number = os.getpid()
    with logging_to_steps(sys.stdout, sys.stderr):
        while True:
            (_, payload), descriptors = wire.receive(channel)
            with _printing_to(descriptors[0]):
                answer = _run(channel, loaded, payload)
                if os.getpid() != number:
                    os._exit(1)  # a child that the step forked has come back out of it
                _flush()
            wire.send(channel, (*answer, _left_children()))


def _load(channel: socket.socket) -> Loaded:
    (_, definition, path), _ = wire.receive(channel)
    sys.path[:] = path
    try:
        loaded = load(definition)
    except BaseException as error:
        wire.send(channel, ("unfit", describe(error)))
        os._exit(1)
    wire.send(channel, ("ready",))
    return loaded


def _run(channel: socket.socket, loaded: Loaded, payload: bytes) -> tuple[str, Any]:
    number = os.getpid()
    try:
        path, state, packed, attributes = pickle.loads(payload)
        remote = Remote(channel, attributes)
        if path[-1] == COMPENSATION:
            call, config = _undo_call(loaded, path[0]), packed
        else:
            call = node.plain_call(node.node_at(loaded.builder, path))
            config = node.unpack(packed, remote._on_the_other_side, remote.beat)
        wire.send(channel, ("begun",))
        token, outer = current.set(remote), var_child_runnable_config.set(config)
        try:
            result = call(state, config)
        finally:
            var_child_runnable_config.reset(outer)
            current.reset(token)
        return "result", _pickled(path[-1], result)
    except BaseException as error:
        if os.getpid() != number:
            os._exit(1)
        return "raised", (describe(error), getattr(error, _ASKED, None))


def _undo_call(loaded: Loaded, step: str) -> node.Call:
    compensation = loaded.policies.get(step, StepPolicy()).compensate
    if compensation is None:
        raise StepFault(
            f"the step {step!r} has no compensation in what its worker process has loaded",
            hint="a function that returns the graph must return the same one each time",
        )
    return node.undo_call(compensation)


class Remote:
    """The step's context on this side: whatever is called on it is called on the owner's."""

    thread: str
    step: str
    attempt: int

    def __init__(self, channel: socket.socket, attributes: Mapping[str, Any]) -> None:
        vars(self).update(attributes)
        self._channel = channel
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._reading = False
        self._asked = 0
        self._replies: dict[int, tuple[bool, Any]] = {}
        self._told: dict[str, float] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._on_the_other_side(name, *args, **kwargs)

    def beat(self) -> None:
        if self._is_due("beat"):
            self._send(("tell", "beat"))

    def report(self, progress: Any, /) -> None:
        last = progress.total is not None and progress.done >= progress.total
        if self._is_due("report") or last:
            self._send(("tell", "report", progress))

    def print(self, text: str, stream: str = "out", /) -> None:
        self._send(("tell", "print", text, stream))

    def descriptor(self) -> int | None:
        return None  # programs inherit what is theirs

    def _on_the_other_side(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Have the owner call a method, and wait for what it returns or raises.

        Of several threads that wait, one reads for all of them: a thread kept for it would
        make it unsound for a step to fork.
        """
        with self._changed:
            self._asked += 1
            number = self._asked
        self._send(("ask", number, name, args, kwargs))
        with self._changed:
            while number not in self._replies:
                if self._reading:
                    self._changed.wait()
                    continue
                self._reading = True
                self._changed.release()
                try:
                    (_, answered, fine, value), _ = wire.receive(self._channel)
                except (EOFError, ConnectionError):
                    os._exit(0)  # the owner is gone, and soon this is
                finally:
                    self._changed.acquire()
                    self._reading = False
                self._replies[answered] = (fine, value)
                self._changed.notify_all()
            fine, value = self._replies.pop(number)
        if fine:
            return value
        error = rebuild(value)
        setattr(error, _ASKED, number)
        raise error

    def _is_due(self, name: str) -> bool:
        now = time.monotonic()
        if now - self._told.get(name, 0.0) < _TELL_EVERY:
            return False
        self._told[name] = now
        return True

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._sending:
            wire.send(self._channel, message)


_ASKED = "__durajob_asked__"
"""On an exception that the owner's side raised: the number of the question."""


def _pickled(step: str, result: Any) -> bytes:
    try:
        return pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        where = ""
        for key, value in result.items() if isinstance(result, dict) else ():
            try:
                pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
            except Exception:
                where = f" under {key!r} (a {type(value).__name__})"
                break
        raise ResultNotStorable(
            f"step {step} returned what cannot be stored{where}: {error}",
            hint="return plain data (or what your state's types say), not open files, "
            "connections, locks or functions",
        ) from error


def _left_children() -> bool:
    """Whether the step has left processes behind. Those that have ended are taken note of."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return True
        except ChildProcessError:
            return False


def _outlive_signals() -> None:
    """A service manager tells every process of a job to stop; the owner decides what that
    means, and lets the step finish. What the step forks is none of ours."""
    own = os.getpid()

    def outlive(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, outlive)


def _set_up_streams() -> None:
    """Streams that stay while what is behind descriptors 1 and 2 changes: a handler of
    ``logging`` that was set up at import keeps the one that it found."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.FileIO(number, "wb", closefd=False),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
        for number in (1, 2)
    )
    # A segmentation fault then says in the attempt's log where it was.
    faulthandler.enable(file=2)


@contextmanager
def _printing_to(descriptor: int) -> Iterator[None]:
    saved = [os.dup(number) for number in (1, 2)]
    for number in (1, 2):
        os.dup2(descriptor, number)
    os.close(descriptor)
    try:
        yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a step may have put anything there
            stream.flush()
