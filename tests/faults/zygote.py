"""Processes of durajob under the preload library, each a fork of one that has imported it all.

A process made here is a real one, with its own end: what is saved is the second that importing
LangGraph takes, which thousands of runs would pay each time. The library is loaded into the
zygote, and armed in a child right before its command begins.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

SOURCE = Path(__file__).with_name("preload.c")
ROOT = Path(__file__).parents[2]
PRELOADED = (
    "tests.preload",
    "tests.faults.work",
    "durajob.cli.start",
    "durajob.cli.status",
    "durajob.cli.tick",
    "durajob.commands.conductor",
    "durajob.config.load",
    "durajob.notify.deliver",
    "durajob.schedule.booking",
    "durajob.store.decode",
    "durajob.workflow",
)
"""What a command imports, imported once."""
HANG = 60.0  # seconds after which a command is said to hang


class NoCompiler(Exception):
    """There is no C compiler to build the preload library with."""


def build(folder: Path) -> Path:
    """Compile the preload library into ``folder``."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompiler("the preload library needs a C compiler (cc)")
    library = folder / "preload.so"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"]
    subprocess.run([compiler, *flags, "-o", library, SOURCE, "-ldl"], check=True)
    return library


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a command ended. ``exit_status`` is minus the signal's number when one killed it."""

    exit_status: int
    out: str
    err: str


@dataclass(kw_only=True, slots=True)
class Running:
    """A command under way."""

    zygote: Zygote
    pid: int
    out: Path
    err: Path
    _handle: int | None = None

    def __post_init__(self) -> None:
        with suppress(ProcessLookupError):  # it has ended
            self._handle = os.pidfd_open(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def wait(self) -> Ended:
        """Wait for its end."""
        status = self.zygote._answer()["status"]
        self.zygote.is_busy = False
        if self._handle is not None:
            os.close(self._handle)
        return Ended(exit_status=status, out=_read(self.out), err=_read(self.err))


@dataclass
class Zygote:
    """Forks one command after the other."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="zygote-")))
    is_busy: bool = False

    def __post_init__(self) -> None:
        self.library = build(self.folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(self.library)},
        )
        self._number = 0
        for number in range(8):
            for name in ("out", "err"):
                (self.folder / f"{number}.{name}").touch()

    def begin(self, *args: str, cwd: Path, env: Mapping[str, str]) -> Running:
        """Start ``durajob ARGS`` in an environment that holds ``env`` and little else."""
        assert not self.is_busy, "a zygote runs one command at a time"
        self.is_busy = True
        out, err = self._outputs
        self._number += 1
        request = {
            "args": args,
            "cwd": str(cwd),
            "env": {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(cwd), **env},
            "out": str(out),
            "err": str(err),
        }
        stdin = _pipe(self._process.stdin)
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
        return Running(zygote=self, pid=self._answer()["pid"], out=out, err=err)

    def run(self, *args: str, cwd: Path, env: Mapping[str, str]) -> Ended:
        """Run ``durajob ARGS`` to its end."""
        return self.begin(*args, cwd=cwd, env=env).wait()

    def spared(self, *paths: Path) -> str:
        """FAULT_SPARE for the next command: these files, and its standard output and error,
        which stand for a terminal."""
        return ":".join(str(path) for path in (*paths, *self._outputs))

    @property
    def _outputs(self) -> tuple[Path, Path]:
        """Where the next command's standard output and error will go."""
        out = self.folder / f"{self._number % 8}.out"
        return out, out.with_suffix(".err")

    def close(self) -> None:
        """End it, and a command that still runs."""
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answer(self) -> dict[str, Any]:
        line = _pipe(self._process.stdout).readline()
        assert line, "the zygote has died"
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve() -> None:
    """Read commands from standard input, fork each, and tell its pid and how it ended."""
    import ctypes
    import gc

    from durajob.cli import main

    for name in PRELOADED:
        importlib.import_module(name)

    library = ctypes.CDLL(None)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    requests = os.fdopen(os.dup(0), "r")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    gc.collect()
    gc.freeze()
    while line := requests.readline():
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
            library.fault_arm()
            _end(main)
        answers.write(json.dumps({"pid": pid}) + "\n")
        handle = os.pidfd_open(pid)
        import select

        if not select.select([handle], [], [], HANG)[0]:
            with open(request["err"], "a") as err:
                err.write(f"HANGS: killed after {HANG} seconds\n")
            os.kill(pid, signal.SIGKILL)
        os.close(handle)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        answers.write(json.dumps({"status": status}) + "\n")


def _become(request: Mapping[str, Any]) -> None:
    """Give the forked child the descriptors, environment and arguments of a command."""
    for path, number in ((request["out"], 1), (request["err"], 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the life of the process
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8")
    sys.argv = ["durajob", *request["args"]]
    if name := request["env"].get("FAULT_CONTROL"):
        from tests.faults.mutants import MUTANTS

        MUTANTS[name]()


def _end(main: Callable[[], object]) -> NoReturn:
    """Run the command, and end without tearing down all that the zygote had imported."""
    try:
        status = main()
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _read(path: Path) -> str:
    return path.read_bytes().decode(errors="surrogateescape")


if __name__ == "__main__":
    serve()
