"""The durajob command in forked processes: as real as the installed one, without its start-up.

The process is a real one: it can be killed, stopped, and waited for. Only the imports were
made before it began. What concerns start-up itself is tested with the installed command.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.harness import DEADLINE, Completed, wait_for

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.preload"])


class ForkedRun:
    """A command under way."""

    def __init__(
        self, args: tuple[str, ...], folder: Path, env: Mapping[str, str], cwd: Path, merged: bool
    ) -> None:
        self.args = args
        self._out = folder / "stdout"
        self._err = self._out if merged else folder / "stderr"
        self.process = _context.Process(
            target=_main, args=(args, str(self._out), str(self._err), dict(env), str(cwd))
        )
        self.process.start()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What it has said on stderr so far."""
        return _read(self._err)

    def until(self, predicate: Callable[[], Any]) -> None:
        """Wait for something that this command brings about."""

        def seen() -> bool:
            alive = self.process.is_alive()
            true = bool(predicate())
            assert true or alive, f"ended before\n{self.wait()}"
            return true

        wait_for(seen)

    def run_out(self) -> None:
        """Let its ``--timeout`` be over now; it must have the fault ``run_out``."""
        Path(f"{os.environ['EFFECTS']}.over").touch()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal and go on."""
        os.kill(self.pid, number)

    def kill(self) -> Completed:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        return self.wait()

    def wait(self, *, check: int | None = None) -> Completed:
        """Wait for its end; with ``check``, that must be its exit status."""
        self.process.join(DEADLINE)
        assert self.process.exitcode is not None, f"still runs: durajob {' '.join(self.args)}"
        completed = Completed(
            args=self.args,
            exit_status=self.process.exitcode,
            stdout=_read(self._out),
            stderr=_read(self._err),
        )
        if check is not None:
            assert completed.exit_status == check, str(completed)
        return completed


class Forked:
    """Runs durajob in forked processes, in a folder and an environment of the test's own."""

    def __init__(self, *, folder: Path, cwd: Path) -> None:
        self._folder = folder
        self.cwd = cwd
        self._begun: list[ForkedRun] = []

    def begin(
        self, *args: str | Path, env: Mapping[str, str] | None = None, merged: bool = False
    ) -> ForkedRun:
        """Start the command and return while it runs.

        ``merged``: what it prints and what it says are kept as one text, as a terminal shows
        them; ``stderr`` is that text.
        """
        folder = self._folder / str(len(self._begun))
        folder.mkdir()
        run = ForkedRun(
            tuple(str(arg) for arg in args), folder, {**os.environ, **(env or {})}, self.cwd, merged
        )
        self._begun.append(run)
        return run

    def run(
        self,
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        check: int | None = None,
    ) -> Completed:
        """Run the command to its end."""
        return self.begin(*args, env=env).wait(check=check)

    def clear_away(self) -> None:
        """Kill whatever the test left running."""
        for run in self._begun:
            if run.process.is_alive():
                run.process.kill()
            run.process.join(DEADLINE)
            run.process.close()


def _main(args: tuple[str, ...], out: str, err: str, env: dict[str, str], cwd: str) -> None:
    for path, fd in ((out, 1), (err, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, fd)
        os.close(opened)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the life of the process
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8")
    sys.argv = ["durajob", *args]
    for name in filter(None, env.get("FAULTS", "").split(",")):
        getattr(importlib.import_module("tests.integration.faults"), name)()
    from durajob.cli import main

    sys.exit(main())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""
