"""A thread is resumed with the folder, the PATH and the interpreter that it was started with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked
from tests.harness import COMMAND, Durajob
from tests.integration.refusals import assert_refused

GRAPH = """
import os, sys
from typing import Any, TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    é: str
    first: list[Any]
    second: list[Any]

def where():
    return [os.path.realpath("/proc/self/cwd"), os.environ.get("PATH"), sys.prefix]

def one(state):
    return {"first": where()}

def two(state):
    if os.path.exists(DIE):
        os.unlink(DIE)
        os.kill(os.getpid(), 9)
    return {"second": where(), "é": "日本"}

graph = StateGraph(State)
graph.add_node("one", one)
graph.add_node("two", two)
graph.add_edge(START, "one")
graph.add_edge("one", "two")
"""


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A graph whose second step kills the process once, and says where it runs."""
    (tmp_path / "die").touch()
    (tmp_path / "user.py").write_text(f"DIE = {str(tmp_path / 'die')!r}\n{GRAPH}")
    for name in ("there", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("DURAJOB_STORE", str(tmp_path / "d.db"))
    return f"{tmp_path}/user.py:graph"


def begun(forked: Forked, graph: str, folder: Path) -> str:
    """Start it in a folder, with a PATH of its own, and let it be killed; that PATH."""
    path = f"{os.environ['PATH']}:/of/its/own"
    forked.cwd = folder
    run = forked.run("start", graph, "-t", "t", env={"PATH": path})
    assert -signal.SIGKILL == run.exit_status
    return path


def test_it_goes_on_in_its_folder_and_with_its_path(
    forked: Forked, graph: str, tmp_path: Path
) -> None:
    """Wherever the resume is typed."""
    path = begun(forked, graph, tmp_path / "there")
    forked.cwd = tmp_path / "elsewhere"
    done = forked.run("resume", "t", "--json", check=0)
    expected = [str(tmp_path / "there"), path, sys.prefix]
    assert (expected, expected) == (done.thread["state"]["first"], done.thread["state"]["second"])


def test_a_folder_that_is_gone(forked: Forked, graph: str, tmp_path: Path) -> None:
    """It is told (66), and --here goes on in this one."""
    begun(forked, graph, tmp_path / "there")
    (tmp_path / "there").rename(tmp_path / "moved")
    forked.cwd = tmp_path / "elsewhere"
    refused = forked.run("resume", "t", "--json")
    assert_refused(refused, 66, "environment_gone")
    assert "durajob resume t --here" in refused.json["error"]["hint"]
    done = forked.run("resume", "t", "--here", "--json", check=0)
    here = [str(tmp_path / "elsewhere"), os.environ["PATH"], sys.prefix]
    assert here == done.thread["state"]["second"]


def make_interpreter(folder: Path, *, with_packages: bool = True) -> Path:
    """A virtual environment of its own that sees the packages of this one."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", folder], check=True
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    if with_packages:
        line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (packages / "shared.pth").write_text(line)
    return folder / "bin" / "python"


def test_it_is_handed_over_to_its_interpreter(durajob: Durajob, graph: str, tmp_path: Path) -> None:
    """Resumed by another Python's durajob, it runs with the one that it was started with; when
    that is gone it is told (66), and --here takes this one."""
    python = make_interpreter(tmp_path / "venv")
    command: list[str | Path] = [python, "-P", "-m", "durajob", "start", graph, "-t", "t"]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert -signal.SIGKILL == killed.returncode, killed.stderr
    (tmp_path / "venv").rename(tmp_path / "aside")
    assert_refused(durajob.run("resume", "t", "--json"), 66, "environment_gone")
    make_interpreter(tmp_path / "venv", with_packages=False)
    assert_refused(durajob.run("resume", "t", "--json"), 66, "other_interpreter")
    (tmp_path / "venv").rename(tmp_path / "bare")
    (tmp_path / "aside").rename(tmp_path / "venv")
    done = durajob.run("resume", "t", "--json", check=0)
    state = done.thread["state"]
    assert [str(tmp_path / "venv")] * 2 == [state["first"][2], state["second"][2]]


RUNS: list[Any] = [
    pytest.param({"HOME": None}, id="no HOME"),
    pytest.param({"LANG": "C", "LC_ALL": "C"}, id="the C locale"),
    pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="pure ASCII"),
]


@pytest.mark.parametrize("env", RUNS)
def test_it_runs_in_a_poor_environment(
    durajob: Durajob, graph: str, tmp_path: Path, env: dict[str, str | None]
) -> None:
    """Without a home, in an ASCII locale: input and state come back as they are."""
    (tmp_path / "die").unlink()
    args = ("start", graph, "-t", "t", "--input-file", "-", "--json")
    ran = durajob.run(*args, input='{"é": "ü"}', env=env, check=0)
    assert ({"é": "ü"}, "日本") == (ran.thread["input"], ran.thread["state"]["é"])


def test_it_runs_in_an_empty_environment(graph: str, tmp_path: Path) -> None:
    """With no variable at all, as from some schedulers."""
    (tmp_path / "die").unlink()
    command: list[str | Path] = [
        COMMAND,
        "--store",
        tmp_path / "d.db",
        "start",
        graph,
        "-t",
        "t",
        "--json",
    ]
    ran = subprocess.run(command, env={}, capture_output=True, check=False)
    envelope = json.loads(ran.stdout)
    assert (0, "日本") == (ran.returncode, envelope["data"]["thread"]["state"]["é"])


def test_it_runs_in_a_folder_that_was_deleted(graph: str, tmp_path: Path) -> None:
    """A start needs no folder, and a list none either."""
    (tmp_path / "die").unlink()
    for words in ('start "$1" -t t', "resume t", "status t", "list"):
        script = f'mkdir gone && cd gone && rmdir ../gone && exec "$0" {words} --json'
        ran = subprocess.run(
            ["sh", "-c", script, COMMAND, graph], cwd=tmp_path, capture_output=True, check=False
        )
        assert (0, True) == (ran.returncode, json.loads(ran.stdout)["ok"]), ran.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_it_runs_with_streams_closed(graph: str, tmp_path: Path, closed: str) -> None:
    """What cannot be printed changes nothing: the job is done, the store is whole."""
    (tmp_path / "die").unlink()
    script = f'exec "$0" start "$1" -t t {closed}'
    ran = subprocess.run(
        ["sh", "-c", script, COMMAND, graph], cwd=tmp_path, capture_output=True, check=False
    )
    assert 0 == ran.returncode, ran.stderr
    shown = subprocess.run(
        [COMMAND, "status", "t", "--json"], capture_output=True, check=True, cwd=tmp_path
    )
    assert "completed" == json.loads(shown.stdout)["data"]["thread"]["status"]
