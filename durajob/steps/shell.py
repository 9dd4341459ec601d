"""Steps that are shell commands.

A command runs in a session of its own, so that Ctrl-C at the terminal does not reach it. What it
needs comes by environment and files, never as text put into the command; what it found goes back
by a file. It holds the descriptor of the thread's lock: should its owner die, nobody takes the
thread while the command still works.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from durajob import clock
from durajob.durations import format_duration
from durajob.policies import ShellApproval, ShellStep
from durajob.steps.context import StepContext, current
from durajob.steps.limits import StepTimeout
from durajob.steps.outputs import read_outputs
from durajob.steps.signs import Signs
from durajob.store.files import make_folder
from durajob.store.trees import MARK, end_tree, kill_tree

TIMED_OUT = 124
"""The exit status that a command has for ``on_exit`` when its time is up, as timeout(1) has it."""

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_OWN = "DURAJOB_"
_LONGEST_TEXT = 32 * 1024  # bytes of one value in the environment
_LONGEST_ALL = 512 * 1024
_LOOK_EVERY = 0.25  # seconds between two looks at the signs of life


class CommandFailed(Exception):
    """A command ended with another exit status than 0, or of a signal."""

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.returncode = status  # for ``on_exit``


class CommandTimeout(CommandFailed, StepTimeout):
    """A command took longer than it may, and was ended with all that it had started."""


class Branch(NamedTuple):
    """A branch of a ``foreach``."""

    number: int
    item: Any


def run_command(
    step: ShellStep, state: Mapping[str, Any], branch: Branch | None = None
) -> dict[str, Any] | None:
    """Run the command of ``step``; its outputs, or None when its ``when`` said no.

    Raises:
        CommandFailed: when it did not end well, or its outputs make no sense.
    """
    context = current.get()
    assert context is not None, "a shell step runs inside a thread"
    end = None if step.timeout is None else clock.monotonic() + step.timeout
    told = {"INPUT": context.command_room().input, "STATE": state}
    with _files(context, told, "OUTPUT", "PROGRESS") as files:
        env = _environment(step, context, told, branch, files)
        call = _Call(step, context, env, end)
        if step.when is not None and not call.asks(step.when):
            context.print("skipped: its when said no\n", "durajob")
            context.nothing_to_undo()
            return None
        if step.approval is not None:
            env[f"{_OWN}ANSWER"] = _ask(context, step.approval)
        call.runs(step.run)
        try:
            return read_outputs(files["DURAJOB_OUTPUT"])
        except ValueError as error:
            raise CommandFailed(f"its outputs cannot be taken: {error}") from error


def run_compensation(
    command: ShellStep,
    state: Mapping[str, Any],
    result: Mapping[str, Any],
    branch: Branch | None = None,
) -> None:
    """Run the command that undoes a step; ``result`` is what the step had found out.

    Raises:
        CommandFailed: when it did not end well.
    """
    context = current.get()
    assert context is not None, "a compensation runs inside a thread"
    end = None if command.timeout is None else clock.monotonic() + command.timeout
    told = {"INPUT": context.command_room().input, "STATE": state, "RESULT": result}
    with _files(context, told) as files:
        env = _environment(command, context, told, branch, files)
        _Call(command, context, env, end).runs(command.run)


def kill_commands() -> None:
    """Kill every command that this process runs, at once: it is about to end."""
    for pid, mark in list(_running.items()):
        kill_tree(pid, mark)


_running: dict[int, str] = {}


class _Call:
    """The programs of one attempt: its ``when``, then its ``run``."""

    def __init__(
        self, step: ShellStep, context: StepContext, env: dict[str, str], end: float | None
    ) -> None:
        self._step = step
        self._context = context
        self._env = env
        self._end = end

    def asks(self, condition: str) -> bool:
        """Whether a condition holds: it exits with 0 for yes, with 1 for no."""
        status = self._execute(condition)
        if status not in (0, 1):
            raise self._failure(status, "its when: ")
        return status == 0

    def runs(self, command: str) -> None:
        """Run a command that must end well."""
        status = self._execute(command)
        if status != 0:
            raise self._failure(status, "")

    def _execute(self, command: str) -> int:
        """The command's returncode, as ``subprocess`` has it."""
        mark = self._env[MARK] = uuid.uuid4().hex
        output = self._context.descriptor()
        step = self._step
        try:
            process = subprocess.Popen(
                [*step.shell, command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=step.cwd,
                env=self._env,
                start_new_session=True,
                pass_fds=(self._context.command_room().lock,),
            )
        except OSError as error:
            raise _not_started(step, error) from error
        _running[process.pid] = mark
        try:
            signs = Signs(self._context, self._env.get(f"{_OWN}PROGRESS"), step.idle_timeout)
            limit = _wait(process.pid, self._end, signs)
            if limit is not None:
                end_tree(process.pid, mark, step.grace)
                process.wait()
                told = _past(limit, step)
                raise CommandTimeout(told + _quoted(self._context), status=TIMED_OUT)
            status = process.wait()
            if status != 0:
                # What it left behind must not run beside the next attempt.
                end_tree(process.pid, mark, step.grace)
            return status
        finally:
            del _running[process.pid]

    def _failure(self, status: int, whose: str) -> CommandFailed:
        return CommandFailed(
            f"{whose}{_told(status)}{_quoted(self._context)}",
            status=128 - status if status < 0 else status,
        )


def _wait(pid: int, end: float | None, signs: Signs) -> str | None:
    """The limit that the process came to; None when it ended, and is left to be waited for."""
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while True:
            left = _LOOK_EVERY if end is None else end - clock.monotonic()
            ended = poll.poll(max(0.0, min(left, _LOOK_EVERY)) * 1000)
            signs.look()
            if ended:
                return None
            if end is not None and clock.monotonic() >= end:
                return "timeout"
            if signs.are_over:
                return "idle_timeout"
    finally:
        os.close(handle)


def _past(limit: str, step: ShellStep) -> str:
    if limit == "timeout":
        return f"it took longer than its timeout of {format_duration(step.timeout or 0)}"
    return (
        f"it gave no sign of life for its idle_timeout of {format_duration(step.idle_timeout or 0)}"
    )


def _told(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        why = ", perhaps because memory ran out" if -status == signal.SIGKILL else ""
        return f"killed by {name}{why}"
    why = {
        _NOT_FOUND: " (a command was not found)",
        _NOT_EXECUTABLE: " (a command could not be executed)",
    }.get(status, "")
    if not why and status > 128:
        with suppress(ValueError):
            why = f" (of {signal.Signals(status - 128).name})"
    return f"exit status {status}{why}"


def _quoted(context: StepContext) -> str:
    lines = "\n".join(context.last_lines())[-1000:]
    return f": {lines}" if lines else ""


def _ask(context: StepContext, approval: ShellApproval) -> str:
    """The answer as a command is told it: text, or else JSON."""
    schema = None if approval.schema is None else dict(approval.schema)
    answer = context.ask(approval.prompt, schema, approval.expires, None)
    text = _scalar(answer)
    text = json.dumps(answer) if text is None else text
    if not _fits(text):
        raise CommandFailed("the answer is too large for the environment, or holds a zero byte")
    return text


def _not_started(step: ShellStep, error: OSError) -> CommandFailed:
    why = os.strerror(error.errno or 0)
    if step.cwd is not None and not os.path.isdir(step.cwd):
        return CommandFailed(f"its folder {step.cwd} cannot be entered: {why}", status=1)
    status = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    return CommandFailed(f"the shell {step.shell[0]} could not be run: {why}", status=status)


@contextmanager
def _files(
    context: StepContext, told: Mapping[str, Mapping[str, Any]], *asked: str
) -> Iterator[dict[str, str]]:
    """The files through which a command is told and asked, by the variables that name them."""
    room = context.command_room()
    make_folder(Path(room.folder))
    folder = tempfile.mkdtemp(prefix="durajob-")
    try:
        files = {f"{_OWN}{name}": os.path.join(folder, name.lower()) for name in (*told, *asked)}
        for name, path in files.items():
            with open(path, "w", encoding="utf-8") as file:
                if (content := told.get(name.removeprefix(_OWN))) is not None:
                    json.dump(content, file, default=repr)
        yield files
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(
    step: ShellStep,
    context: StepContext,
    told: Mapping[str, Mapping[str, Any]],
    branch: Branch | None,
    files: Mapping[str, str],
) -> dict[str, str]:
    room = context.command_room()
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    env |= {name: os.environ[name] for name in _KEPT if name in os.environ}
    env |= step.env
    values = [(of, key, value) for of in reversed(list(told)) for key, value in told[of].items()]
    left = _LONGEST_ALL
    for of, key, value in values:
        text = _scalar(value)
        name = f"{_OWN}{of}_" + re.sub(r"[^A-Z0-9_]", "_", str(key).upper())
        if text is not None and _fits(text) and (left := left - len(name) - len(text)) > 0:
            env[name] = text
    env |= {
        f"{_OWN}THREAD": context.thread,
        f"{_OWN}WORKFLOW": room.workflow,
        f"{_OWN}STEP": context.step,
        f"{_OWN}ATTEMPT": str(context.attempt),
        f"{_OWN}IDEMPOTENCY_KEY": context.effect_key("run"),
        f"{_OWN}DIR": room.folder,
        **files,
    }
    if branch is not None:
        item = _scalar(branch.item)
        text = json.dumps(branch.item) if item is None else item
        if not _fits(text, 4 * _LONGEST_TEXT - 100):
            raise CommandFailed(
                f"the item {branch.number} is too large for the environment, or holds a zero byte"
            )
        env |= {f"{_OWN}ITEM": text, f"{_OWN}INDEX": str(branch.number)}
    return env


_KEPT = ("DURAJOB_FILE", "DURAJOB_STORE")


def _scalar(value: Any) -> str | None:
    """A value as a shell takes it; None for what is no single value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, int | float) else None


def _fits(text: str, most: int = _LONGEST_TEXT) -> bool:
    """Whether an environment can hold a text: it knows no zero byte, and no end of sizes."""
    try:
        return "\0" not in text and len(text.encode()) <= most
    except UnicodeEncodeError:
        return False
