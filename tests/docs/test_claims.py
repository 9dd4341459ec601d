"""What the pages say of commands, options, keys, codes and tests is so, and none is left out."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
import typer

import durajob
from durajob.cli.app import build
from durajob.cli.session import Session
from durajob.cli.verbs import VERBS
from durajob.config import specs
from durajob.config.toml import TOP_LEVEL_KEYS
from durajob.errors import DurajobError
from durajob.model import ThreadStatus
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, commands, links, table

COMMANDS = sorted({(page, command) for page in PAGES for command in commands(page.read_text())})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link names a file that is there, and a heading that is in it."""
    broken = []
    for link in links(page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert [] == broken


def test_the_index_names_every_page() -> None:
    """No page that the reader is not led to, and the README leads to the index."""
    index = (DOCS / "README.md").read_text()
    pages = {path.name for path in DOCS.glob("*.md")} - {"README.md"}
    assert pages == {link for link in links(index) if "/" not in link}
    assert any("docs/README.md" in link for link in links((ROOT / "README.md").read_text()))


@pytest.mark.parametrize(
    ("page", "command"), COMMANDS, ids=[f"{p.stem}: {c[:60]}" for p, c in COMMANDS]
)
def test_a_command_that_is_shown_is_one(page: Path, command: str) -> None:
    """It parses: the verb is there, and so are its options."""
    arguments = [word for word in shlex.split(command) if word != "…"]
    app = build()
    session = Session(arguments)
    try:
        with app.make_context("durajob", arguments, obj=session) as context:
            words = [*context._protected_args, *context.args]
            if words:
                name, verb, rest = app.resolve_command(context, words)
                verb.make_context(name, rest, parent=context)
    except typer.Exit:
        pass
    except Exception as error:
        # A sentence may name a command without its arguments.
        if type(error).__name__ not in ("MissingParameter", "NoArgsIsHelpError"):
            raise


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_command_is_described(verb: str) -> None:
    """Each command has a section, with a row for each option that is its own."""
    page = (DOCS / "commands.md").read_text()
    app = build()
    command: Any = app.get_command(None, verb)
    own = {
        name
        for param in command.params
        for name in param.opts
        if name.startswith("-") and name not in ("--json", "-q", "--quiet")
    }
    rows = table(page, verb) if own else []
    shown = {name for row in rows for name in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row[0])}
    assert own == shown
    assert f"\n## {verb}\n" in page


def test_every_global_option_is_described() -> None:
    """What may stand before the command."""
    page = (DOCS / "commands.md").read_text()
    params: Any = build().params
    own = {name for param in params for name in param.opts}
    assert {name for name in own if f"`{name}" not in page} == set()


def test_every_error_code_is_described() -> None:
    """Codes of classes, and those that are given where a thread's end is judged."""
    for module in pkgutil.walk_packages(durajob.__path__, "durajob."):
        if "starter" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    codes = {each.code: each.exit_status for each in _subclasses(DurajobError)}
    page = (DOCS / "exit-codes.md").read_text()
    described = {row[0].strip("`"): int(row[1]) for row in table(page, "Error codes")}
    assert codes == {code: described.get(code) for code in codes}
    literal = {
        code
        for path in (ROOT / "durajob").rglob("*.py")
        for code in re.findall(r'\bcode="(\w+)"', path.read_text())
    }
    assert set(described) == set(codes) | literal
    statuses = {int(row[0]) for row in table(page, "Exit statuses")}
    assert set(described.values()) | {0} == statuses


def test_every_status_is_described() -> None:
    """The statuses of a thread, in their order."""
    rows = table((DOCS / "concepts.md").read_text(), "Status")
    assert [status.value for status in ThreadStatus] == [row[0].strip("`") for row in rows]
    assert ["interrupted"] == [row[0].strip("`") for row in rows if row[1] == "derived"]


@pytest.mark.parametrize(
    ("title", "spec"),
    [
        ("logs", specs.Logs),
        ("defaults", specs.Defaults),
        ("workflows", specs.WorkflowSpec),
        ("schedule", specs.ScheduleSpec),
        ("steps", specs.StepSpec),
        ("lock", specs.LockSpec),
        ("Shell steps", specs.ShellSpec),
        ("retry", specs.RetrySpec),
        ("notify", specs.NotifySpec),
        ("ping", specs.PingSpec),
    ],
)
def test_every_key_is_described(title: str, spec: type[msgspec.Struct]) -> None:
    """Each key of workflows.toml that is taken, with its limits and its default."""
    rows = {row[0].strip("`"): row for row in _configuration(title)}
    assert set(spec.__struct_fields__) == set(rows)
    hints = get_type_hints(spec, include_extras=True)
    for field in msgspec.structs.fields(spec):
        for limit in _limits(hints[field.name]):
            assert f"{limit:,}" in rows[field.name][3], field.name
        if isinstance(field.default, (int, str)):
            shown = {"": '`""`', "False": "false"}.get(str(field.default), str(field.default))
            assert shown in rows[field.name][2], field.name
        if field.required:
            assert rows[field.name][2] == "must be given"


def test_the_defaults_of_retry_are_as_described() -> None:
    """They stand in the policy, since None means that the file does not say."""
    from durajob.durations import parse_duration
    from durajob.policies import RetryPolicy

    rows = {row[0].strip("`"): row[2] for row in _configuration("retry")}
    policy = RetryPolicy(on=())
    assert int(rows["attempts"]) == policy.attempts
    assert parse_duration(rows["wait"]) == policy.wait
    assert float(rows["factor"]) == policy.factor
    assert parse_duration(rows["max_wait"]) == policy.max_wait
    assert rows["jitter"] == str(policy.jitter).lower()


def test_every_table_of_the_file_is_described() -> None:
    """The top level of workflows.toml."""
    rows = [row[0].strip("`") for row in _configuration("workflows.toml")]
    assert set(TOP_LEVEL_KEYS) == set(rows)


def test_every_variable_is_described() -> None:
    """Those that people may set: what the code asks the environment for."""
    page = (DOCS / "configuration.md").read_text()
    asked = {
        name
        for path in (ROOT / "durajob").rglob("*.py")
        if "examples" not in path.parts
        for name in re.findall(r'environ\.get\("([A-Z]\w*)"', path.read_text())
    }
    assert {name for name in asked - {"HOME", "PATH", "COLUMNS"} if name not in page} == set()


def test_a_promise_names_tests_that_are_there() -> None:
    """Each promise stands with at least one test, and each test exists."""
    page = (DOCS / "guarantees.md").read_text()
    promises = page.partition("## Promises")[2].partition("## Limits")[0]
    for promise in re.split(r"\n(?=\*\*)", promises.strip()):
        assert "\n- `test_" in promise, promise
    named = set(re.findall(r"`(test_\w+)`", page))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert set() == named - there


def test_a_block_that_is_not_run_says_why() -> None:
    """There are few of them."""
    kept = [
        page.name
        for page in PAGES
        for block in blocks(page.read_text())
        if block.language == "console" and block.not_run
    ]
    assert ["backup.md", "cron.md"] == kept


def _configuration(title: str) -> list[list[str]]:
    return table((DOCS / "configuration.md").read_text(), title)


def _subclasses(cls: type[DurajobError]) -> set[type[DurajobError]]:
    inner = {each for sub in cls.__subclasses__() for each in _subclasses(sub)}
    return {cls, *inner} if cls is not DurajobError else inner


def _limits(hint: Any) -> list[int]:
    found = [
        limit
        for meta in getattr(hint, "__metadata__", ())
        for limit in (meta.ge, meta.le)
        if limit is not None
    ]
    return found + [limit for each in get_args(hint) for limit in _limits(each)]
