"""The durajob command as tests use it: started for real, watched, killed, its output kept.

Here stands what deals with processes and waiting. Fixtures stand in conftest.py; what a
behaviour should be stands in the tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

COMMAND = Path(sysconfig.get_path("scripts")) / "durajob"
DEADLINE = 60.0
"""Seconds after which a test gives up waiting; far more than anything here needs."""


def wait_for(
    predicate: Callable[[], T], *, deadline: float = DEADLINE, what: str | None = None
) -> T:
    """Poll until ``predicate`` returns something true, and return that.

    Raises:
        AssertionError: when it has not come true within ``deadline`` seconds.
    """
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what or predicate}")
        time.sleep(0.005)


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A command that has ended. A negative exit status is the signal that ended it."""

    args: tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The envelope on stdout; anything else there fails the test."""
        try:
            envelope = json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"no envelope on stdout ({error})\n{self}") from error
        assert isinstance(envelope, dict), self
        return envelope

    @property
    def data(self) -> Any:
        """What the envelope carries."""
        return self.json["data"]

    @property
    def thread(self) -> Any:
        """The one thread that the envelope carries."""
        return self.json["data"]["thread"]

    def __str__(self) -> str:
        return (
            f"$ durajob {' '.join(self.args)}\nexit status {self.exit_status}\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )


class Running:
    """A command under way. Its output goes to files, so that no full pipe ever holds it up."""

    def __init__(
        self,
        args: tuple[str, ...],
        *,
        folder: Path,
        env: Mapping[str, str],
        cwd: Path,
        input: str | bytes | None,
    ) -> None:
        self.args = args
        self._out, self._err = folder / "stdout", folder / "stderr"
        given = input.encode() if isinstance(input, str) else input
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [COMMAND, *args],
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=out,
                stderr=err,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,  # no terminal, and a group of its own to clear away
            )
        if self.process.stdin is not None:
            # It may refuse without having read everything.
            with suppress(BrokenPipeError), self.process.stdin as pipe:
                pipe.write(given or b"")
            self.process.stdin = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._out.read_bytes().decode(errors="surrogateescape")

    @property
    def stderr(self) -> str:
        """What it has said on stderr so far."""
        return self._err.read_bytes().decode(errors="surrogateescape")

    def until(self, predicate: Callable[[], T], *, what: str | None = None) -> T:
        """Wait for something that this command brings about; fail at once when it ends first."""

        def seen() -> T:
            ended = self.process.poll() is not None  # asked first: the last act counts too
            value = predicate()
            assert value or not ended, f"ended before: {what or predicate}\n{self.wait()}"
            return value

        return wait_for(seen, what=what)

    def until_file(self, path: Path) -> None:
        """Wait until ``path`` exists."""
        self.until(path.exists, what=f"file {path}")

    def until_lines(self, path: Path, count: int) -> None:
        """Wait until ``path`` has at least ``count`` lines."""

        def lines() -> bool:
            return path.exists() and path.read_bytes().count(b"\n") >= count

        self.until(lines, what=f"{count} lines in {path}")

    def until_said(self, text: str) -> None:
        """Wait until ``text`` stands in its output or on stderr."""
        self.until(lambda: text in self.stdout or text in self.stderr, what=f"{text!r} said")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal and go on."""
        self.process.send_signal(number)

    def kill(self) -> Completed:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        return self.wait()

    def wait(self, *, check: int | None = None) -> Completed:
        """Wait for its end; with ``check``, that must be its exit status."""
        self.process.wait(DEADLINE)
        completed = Completed(
            args=self.args,
            exit_status=self.process.returncode,
            stdout=self.stdout,
            stderr=self.stderr,
        )
        if check is not None:
            assert completed.exit_status == check, str(completed)
        return completed

    def clear_away(self) -> None:
        """Kill whatever is left of it and its group."""
        with suppress(ProcessLookupError):  # all gone already
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)


class Durajob:
    """The installed ``durajob`` command, run in a folder and an environment of the test's own."""

    def __init__(self, *, folder: Path, cwd: Path) -> None:
        self._folder = folder
        self._cwd = cwd
        self._begun: list[Running] = []

    def begin(
        self,
        *args: str | Path,
        env: Mapping[str, str | None] | None = None,
        input: str | bytes | None = None,
        cwd: Path | None = None,
    ) -> Running:
        """Start the command and return while it runs; it is killed when the test ends.

        ``env`` is laid over the scrubbed environment; None takes a variable away.
        """
        environment: dict[str, str] = dict(os.environ)
        for name, value in (env or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        folder = self._folder / str(len(self._begun))
        folder.mkdir()
        running = Running(
            tuple(str(arg) for arg in args),
            folder=folder,
            env=environment,
            cwd=cwd or self._cwd,
            input=input,
        )
        self._begun.append(running)
        return running

    def run(
        self,
        *args: str | Path,
        env: Mapping[str, str | None] | None = None,
        input: str | bytes | None = None,
        cwd: Path | None = None,
        check: int | None = None,
    ) -> Completed:
        """Run the command to its end; with ``check``, that must be its exit status."""
        return self.begin(*args, env=env, input=input, cwd=cwd).wait(check=check)

    def killed_when(
        self,
        predicate: Callable[[], Any],
        *args: str | Path,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
    ) -> Completed:
        """Start the command and kill -9 it as soon as ``predicate`` holds."""
        running = self.begin(*args, env=env, cwd=cwd)
        running.until(predicate)
        completed = running.kill()
        assert completed.exit_status == -signal.SIGKILL, f"ended by itself\n{completed}"
        return completed

    def clear_away(self) -> None:
        """Kill whatever the test left running."""
        for running in self._begun:
            running.clear_away()
