"""What the quick commands may not load: it is what makes them quick."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUB = Path(__file__).parent / "cli_stub.py"

HEAVY = {
    "asyncio",
    "concurrent.futures",
    "email",
    "http",
    "httpx",
    "importlib.metadata",
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


def test_only_the_verb_that_was_called_is_loaded(tmp_path: Path) -> None:
    """``durajob list`` does not load the other verbs."""
    loaded = tmp_path / "loaded"
    subprocess.run(
        [sys.executable, str(STUB), "", "list"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CLI_STUB_MODULES": str(loaded)},
        capture_output=True,
        check=True,
    )
    verbs = {"start", "resume", "status", "list_threads", "workflows", "validate", "init"}
    modules = set(loaded.read_text().splitlines())
    assert {"list_threads"} == {verb for verb in verbs if f"durajob.cli.{verb}" in modules}
