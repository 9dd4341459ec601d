"""Completion, as a shell asks for it: by the protocol, and by a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.forked import Forked
from tests.harness import COMMAND, DEADLINE

ROOT = Path(__file__).parents[2]


def completed(forked: Forked, line: str) -> list[str]:
    """What bash would offer for the line."""
    done = forked.run("--", line, env={"_DURAJOB_COMPLETE": "bash"}, check=0)
    assert "" == done.stderr
    return done.stdout.splitlines()


def test_words_are_completed(forked: Forked) -> None:
    """Commands, options, workflows and threads, each where it belongs."""
    (forked.cwd / "workflows.toml").write_text('[workflows.nightly]\ngraph = "./no.py:graph"\n')
    for name in ("job-1", "job-2", "other", "at-06:00"):
        forked.run("start", "durable", "-t", name, "-i", "seconds:=0", "-q", check=0)
    for line, found in (
        ("durajob sta", ["start", "status"]),
        ("durajob --colo", ["--color"]),
        ("durajob --color ", ["always", "auto", "never"]),
        ("durajob start ni", ["nightly"]),
        ("durajob start -t x ba", []),
        ("durajob status jo", ["job-1", "job-2"]),
        ("durajob status at-06:", ["00"]),
        ("durajob watch --json-", ["--json-lines"]),
        ("durajob graph night", ["nightly"]),
        ("durajob graph oth", ["other"]),
        ("durajob list --status wai", ["waiting"]),
        ("durajob frobnicate ", []),
        ("durajob --store /no/where.db status ", []),
    ):
        assert found == completed(forked, line), line


def test_errors_are_kept_from_the_line(forked: Forked) -> None:
    """A broken workflows.toml or store offers nothing, and says nothing."""
    (forked.cwd / "workflows.toml").write_text("[")
    (forked.cwd / "bad.db").write_text("rubbish")
    assert [] == completed(forked, "durajob start ")
    assert [] == completed(forked, "durajob --store bad.db status ")


def test_threads_are_completed_without_what_is_heavy(forked: Forked) -> None:
    """The newest 50, and neither LangGraph nor Typer is imported for them."""
    forked.run("start", "durable", "-t", "t", "-i", "seconds:=0", "-q", check=0)
    program = (
        "import sys; from durajob.__main__ import main; main();"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--", "durajob status "],
        env={**os.environ, "PYTHONPATH": str(ROOT), "_DURAJOB_COMPLETE": "bash"},
        cwd=forked.cwd,
        capture_output=True,
        text=True,
    )
    assert "t\n" == done.stdout
    assert set() == {"langgraph", "msgspec", "typer", "rich"} & set(done.stderr.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str, forked: Forked) -> None:
    """It names the function that asks durajob."""
    assert "_DURAJOB_COMPLETE" in forked.run("--show-completion", shell, check=0).stdout
    forked.run("--show-completion", "csh", check=2)


SHELLS = {
    "bash": (["--norc", "--noprofile"], 'eval "$(durajob --show-completion bash)"'),
    "zsh": (["-f"], 'autoload -U compinit; compinit -D; eval "$(durajob --show-completion zsh)"'),
    "fish": (
        ["--no-config", "-C", "function fish_prompt; echo -n 'READY '; end"],
        "durajob --show-completion fish | source",
    ),
}
"""How each is begun with nothing of this machine's, and what its user puts into its own file."""

SAYS = """#!/bin/sh
if [ -n "$_DURAJOB_COMPLETE" ] || [ "$1" = --show-completion ]; then exec {real} "$@"; fi
printf GOT; printf '<%s>' "$@"; echo END
"""
"""A durajob that completes as the real one does, and says what it was given."""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes(shell: str, forked: Forked) -> None:
    """Typed as a person does: a tab, and the word is whole; a file where durajob offers nothing,
    and only there."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    for name in ("nightly-1", "at-06:00"):
        forked.run("start", "durable", "-t", name, "-i", "seconds:=0", "-q", check=0)
    for name in ("at-06:none", "nightly-none", "wfile.toml"):
        (forked.cwd / name).touch()
    bin = forked.cwd / "bin"
    bin.mkdir()
    (bin / "durajob").write_text(SAYS.format(real=COMMAND))
    (bin / "durajob").chmod(0o700)
    argv, script = SHELLS[shell]
    child = pexpect.spawn(
        shell,
        argv,
        env={**os.environ, "PATH": f"{bin}:{os.environ['PATH']}", "PS1": "READY "},
        timeout=DEADLINE,
        encoding="utf-8",
    )
    try:
        child.expect("READY ")
        child.sendline(f"{script}; echo SE''T")
        child.expect("SET\r")
        for typed, found in (
            ("durajob status ni", "<status><nightly-1>"),
            ("durajob status at-06:0", "<status><at-06:00>"),
            ("durajob --color al", "<--color><always>"),
            ("durajob -f wf", "<-f><wfile.toml>"),
        ):
            child.send(f"{typed}\t\r")
            child.expect("GOT(.*)END")
            assert found == child.match.group(1)
    finally:
        child.close(force=True)
