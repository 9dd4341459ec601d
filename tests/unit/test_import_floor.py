"""What the quick commands may not load: it is what makes them quick."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import Durajob

ROOT = Path(__file__).parents[2]
STUB = Path(__file__).parent / "cli_stub.py"

HEAVY = {
    "asyncio",
    "concurrent.futures",
    "email",
    "http",
    "httpx",
    "importlib.metadata",
    "jsonschema",
    "langchain_core",
    "langgraph",
    "langsmith",
    "msgspec",
    "ormsgpack",
    "pydantic",
    "rich",
    "tenacity",
    "yaml",
}


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (("status", "x"), 0),
        (("status", "x", "--json"), 0),
        (("status",), 0),
        (("list",), 0),
        (("list", "--json"), 0),
        (("approvals",), 0),
        (("workflows", "--json"), 78),
        (("--help",), 0),
        (("status", "--help"), 0),
        (("start", "--help"), 0),
        (("start", "--bogus"), 2),
        (("frobnicate",), 2),
    ],
)
def test_the_command_line_itself_loads_nothing_heavy(
    args: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    """Typer, the model and the renderer are all that a read costs besides the store."""
    loaded = tmp_path / "loaded"
    done = subprocess.run(
        [sys.executable, str(STUB), "", *args],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CLI_STUB_MODULES": str(loaded)},
        capture_output=True,
        text=True,
    )
    assert status == done.returncode, done.stderr
    assert set() == HEAVY & set(loaded.read_text().splitlines())


@pytest.mark.parametrize(
    "args",
    [
        ("status", "t"),
        ("status", "--json"),
        ("list", "--json"),
        ("list",),
        ("why", "t"),
        ("history", "t"),
        ("history", "t", "--json-lines"),
    ],
)
def test_real_reads_load_nothing_heavy(
    args: tuple[str, ...], durajob: Durajob, tmp_path: Path
) -> None:
    """With a real store behind them, reads need neither LangGraph nor anything else heavy."""
    store = f"sqlite:///{tmp_path}/store.db"
    durajob.run("--store", store, "start", "saga", "-t", "t", "-q", check=0)
    program = (
        "import sys; from durajob.cli import main; status = main(sys.argv[1:]);"
        "sys.stderr.write('\\n'.join(sys.modules)); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--store", store, *args],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (0, True) == (done.returncode, "durajob.store" in done.stderr.splitlines()), done.stderr
    # Showing one thread whole decodes its state; a list of threads does not.
    needed = {"ormsgpack"} if args == ("status", "t") else set()
    assert needed == HEAVY & set(done.stderr.splitlines())


def test_a_tick_with_nothing_to_do_loads_nothing_heavy(durajob: Durajob, tmp_path: Path) -> None:
    """It follows its schedules without reading what they are, and loads no workflow."""
    (tmp_path / "workflows.toml").write_text(
        '[workflows.job]\ngraph = "durajob.examples.durable:workflow"\n'
        'schedule = { cron = "0 0 29 2 *" }\n'
    )
    durajob.run("tick", check=0)
    program = (
        "import sys; from durajob.cli import main; status = main(sys.argv[1:]);"
        "sys.stderr.write('\\n'.join(sys.modules)); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "tick"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    loaded = set(done.stderr.splitlines())
    assert (0, True) == (done.returncode, "durajob.commands.tick" in loaded), done.stderr
    more = {
        "zoneinfo",
        "tomllib",
        "durajob.registry",
        "durajob.config.specs",
        "durajob.engine",
        "durajob.store.write",
    }
    assert {"tomllib"} == (HEAVY | more) & loaded


def test_only_the_verb_that_was_called_is_loaded(tmp_path: Path) -> None:
    """``durajob list`` does not load the other verbs."""
    loaded = tmp_path / "loaded"
    subprocess.run(
        [sys.executable, str(STUB), "", "list"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CLI_STUB_MODULES": str(loaded)},
        capture_output=True,
        check=True,
    )
    verbs = {"start", "resume", "status", "list_threads", "workflows", "validate", "doctor"}
    verbs |= {"init"}
    modules = set(loaded.read_text().splitlines())
    assert {"list_threads"} == {verb for verb in verbs if f"durajob.cli.{verb}" in modules}
