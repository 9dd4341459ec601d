"""How the benchmarks measure: whole processes, one beside the other, medians of pairs.

Every figure is a ratio of two things measured in the same minutes on the same machine. The
contenders take turns, and the order within a turn alternates, so that a machine that grows
slower does so for both. Nothing is subtracted.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
GRAPHS = Path(__file__).parent / "graphs.py"
PYTHON = sys.executable
DURAJOB = str(Path(sysconfig.get_path("scripts")) / "durajob")

missed: list[str] = []
"""What did not reach its target in this run."""


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder on a disk (DURAJOB_BENCH_DIR, else the temporary folder), removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("DURAJOB_BENCH_DIR")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def environment(folder: Path, store: Path | None = None) -> dict[str, str]:
    """A plain environment at home in ``folder``, in which nobody's settings count."""
    keep = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environ = {**keep, "HOME": str(folder), "LANG": "C.UTF-8"}
    if store is not None:
        environ["DURAJOB_STORE"] = f"sqlite:///{store.absolute().as_posix()}"
    return environ


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds that something took, by the clock and, where known, of the processors."""

    wall: float
    cpu: float | None = None


def run(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Taken:
    """What a process takes from its start to its end; it must exit with 0."""
    return run_for_output(argv, cwd=cwd, env=env)[0]


def run_for_output(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> tuple[Taken, str]:
    """What a process takes, and what it prints; it must exit with 0."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Taken(wall=wall, cpu=cpu), done.stdout


def take_turns(
    contenders: Mapping[str, Callable[[], Taken]], *, rounds: int, warm_up: int = 1
) -> dict[str, list[Taken]]:
    """Let every contender run once a round; what comes back is what each took."""
    for _ in range(warm_up):
        for contender in contenders.values():
            contender()
    taken: dict[str, list[Taken]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            taken[name].append(contenders[name]())
    return taken


def report(title: str, ours: Sequence[Taken], theirs: Sequence[Taken], *, target: float) -> None:
    """One line: the median of the pairs' ratios, the medians themselves, and the target."""
    ratio = _ratio([a.wall for a in ours], [b.wall for b in theirs])
    if ratio > target:
        missed.append(title)
    line = (
        f"{title:<46} {ratio:6.2f} x (target {target:g}) {'MISSED' if ratio > target else 'ok':<6} "
        f"{_ms([a.wall for a in ours])} / {_ms([b.wall for b in theirs])}"
    )
    our_cpu = [a.cpu for a in ours if a.cpu is not None]
    their_cpu = [b.cpu for b in theirs if b.cpu is not None]
    if our_cpu and their_cpu:
        line += f"; processor time {_ratio(our_cpu, their_cpu):.2f} x"
    print(f"{line}; {len(ours)} pairs", flush=True)


def machine(folder: Path) -> str:
    """What the figures were measured on."""
    from importlib.metadata import version

    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [li for li in cpuinfo.read_text().splitlines() if li.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    disk = subprocess.run(
        ["df", "--output=fstype", str(folder)], capture_output=True, text=True
    ).stdout.split()[-1:]
    return (
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.release()}, {' '.join(disk)}, "
        f"Python {platform.python_version()}, langgraph {version('langgraph')}, "
        f"typer {version('typer')}"
    )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _ms(seconds: Sequence[float]) -> str:
    median = statistics.median(seconds)
    return f"{median * 1000:.1f} ms" if median < 1 else f"{median:.2f} s"
