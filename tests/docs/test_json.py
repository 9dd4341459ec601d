"""docs/json.md and docs/schema/ describe what commands print, and all of it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.docs.pages import DOCS, table
from tests.forked import Forked
from tests.harness import Completed, wait_for

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (DOCS / "schema").glob("*.json")}
ASKING = Path(__file__).parents[1] / "integration" / "asking.py"
PAGE = (DOCS / "json.md").read_text()


def closed(schema: Any) -> Any:
    """The schema as it is for tests: what it does not describe may not be there.

    For those who read the output it stays open, since fields may be added.
    """
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if inner.get("type") == "object" and "properties" in inner and "if" not in inner:
        inner.setdefault("unevaluatedProperties", False)
    return inner


REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(closed(schema))) for schema in SCHEMAS.values()
)


def check(done: Completed) -> None:
    """What was printed fits the schema of its command."""
    envelope = done.json
    schema = {"$ref": f"{envelope['command']}.json", "unevaluatedProperties": False}
    validator = Draft202012Validator(schema, registry=REGISTRY)
    found = [
        f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(envelope)
    ]
    assert [] == found, f"{done}\n" + "\n".join(found)
    assert envelope["exit_code"] == done.exit_status


def test_real_output_fits_its_schema(forked: Forked) -> None:
    """Every command, well and badly: what it prints is what its schema says, and no more."""
    for status, *args in (
        (0, "list"),
        (0, "status"),
        (66, "status", "x"),
        (0, "init"),
        (78, "init"),
        (0, "workflows"),
        (0, "validate"),
        (0, "doctor"),
        (0, "start", "durable", "-t", "a", "-i", "seconds:=0", "--slot", "2026-11-22T06:00+01:00"),
        (1, "start", "retry", "-t", "b", "-i", "failure_rate:=-1"),
        (73, "start", "durable", "-t", "a"),
        (66, "start", "durabel"),
        (124, "start", "durable", "-t", "c", "-i", "seconds:=60", "--timeout", "1s"),
        (0, "resume", "a"),
        (1, "resume", "b"),
        (66, "resume", "x"),
        (0, "resume", "b", "--plan"),
        (0, "resume", "a", "--plan"),
        (66, "answer", "a", "yes"),
        (3, "start", f"{ASKING}:send", "-t", "w"),
        (0, "approvals"),
        (65, "answer", "w", "yes"),
        (0, "answer", "w", "1", "--no-resume"),
        (0, "answer", "w", "1"),
        (1, "start", "saga", "-t", "d", "-i", "fail=ship"),
        (0, "cancel", "c"),
        (65, "cancel", "d"),
        (0, "complete", "b", "call", "-i", "answer:=1", "--reason", "by hand"),
        (65, "skip", "b", "call", "--reason", "by hand"),
        (0, "fork", "a", "--from", "B", "-i", "progress:=1"),
        (66, "fork", "a", "--from", "X"),
        (4, "resume", "c"),
        (0, "list"),
        (0, "logs", "b"),
        (66, "logs", "b", "x"),
        (0, "watch", "b"),
        (0, "timeline", "b"),
        (0, "timeline", "a", "--html", "a.html"),
        (66, "timeline", "x"),
        (0, "graph", "b"),
        (0, "graph", "saga"),
        (66, "graph", "x"),
        (66, "watch", "x"),
        (2, "list", "--limit", "0"),
        (2, "list", "--json-lines"),
        (0, "why", "a"),
        (0, "why", "b"),
        (0, "why", "c"),
        (0, "why", "d"),
        (66, "why", "x"),
        (0, "history", "b"),
        (0, "history", "c"),
        (0, "history", "d", "--tail", "3"),
        (0, "history", "w"),
        (66, "history", "x"),
        (0, "status"),
        (0, "status", "a"),
        (0, "status", "b"),
        (0, "status", "c"),
        (0, "metrics"),
        (0, "metrics", "--output", "durajob.prom"),
        (74, "metrics", "--output", "no/such/folder/durajob.prom"),
        (0, "recover"),
        (0, "recover", "--wait"),
        (2, "recover", "--jobs", "0"),
        (0, "tick"),
        (0, "schedule"),
        (0, "schedule", "install", "--cron"),
        (2, "schedule", "backfill"),
        (0, "status", "d"),
        (0, "export", "--all", "-o", "x"),
        (2, "export", "--all"),
        (73, "import", "x"),
        (0, "import", "x", "--on-exists", "skip"),
        (66, "import", "y"),
    ):
        check(forked.run(*args, "--json", check=status))
    for name, ref, *args in (
        ("list", "thread.json", "--limit", "3"),
        ("history", "history.json#/$defs/entry", "d"),
        ("logs", "logs.json#/$defs/line", "b"),
    ):
        lines = forked.run(name, *args, "--json-lines", check=0).stdout.splitlines()
        assert lines
        for line in lines:
            Draft202012Validator({"$ref": ref}, registry=REGISTRY).validate(json.loads(line))
    for status, *args in (  # last: it takes away what the others show
        (0, "prune", "--dry-run"),
        (2, "prune"),
        (0, "prune", "--yes", "--status", "failed"),
        (0, "prune", "--yes"),
    ):
        check(forked.run(*args, "--json", check=status))


def test_slots_fit_their_schema(forked: Forked) -> None:
    """Ticks, the ledger and plans, with slots in them."""
    (forked.cwd / "workflows.toml").write_text(
        '[workflows.a]\ngraph = "durajob.examples.durable:workflow"\n'
        'input = { seconds = 0, fail_at = "A" }\nschedule = { cron = "* * * * *" }\n'
    )
    check(forked.run("tick", "--wait", "--json", check=1))
    check(forked.run("tick", "--json"))
    check(forked.run("schedule", "--json", check=0))
    check(forked.run("schedule", "next", "--json", check=0))
    times = ("--from", "2026-01-01T00:00", "--to", "2026-01-01T00:09")
    check(forked.run("schedule", "backfill", "a", *times, "--json", check=0))


def test_a_thread_that_waits_or_runs_fits_the_schema(forked: Forked) -> None:
    """Questions, owners and progress are as the schema says."""
    (forked.cwd / "ask.py").write_text(
        "from langgraph.graph import StateGraph\n"
        "from langgraph.types import interrupt\n"
        "graph = StateGraph(dict).add_node('ask', lambda s: interrupt({'sure': [1]}))\n"
        "graph.set_entry_point('ask')\n"
    )
    check(forked.run("start", "./ask.py:graph", "-t", "asks", "--json", check=3))
    run = forked.begin("start", "durable", "-t", "runs", "-i", "seconds:=60")

    def progressed() -> bool:
        done = forked.run("status", "runs", "--json")
        return done.exit_status == 0 and '"note": "working"' in done.stdout

    run.until(progressed)
    shown = forked.run("status", "runs", "--json", check=0)
    assert shown.thread["owner"]["pid"] == run.pid
    check(shown)
    run.kill()
    check(forked.run("recover", "--dry-run", "--json", check=0))


def test_a_thread_that_waits_for_a_lock_or_a_time_fits_the_schema(forked: Forked) -> None:
    """Holders, the time to wake at, and the attempts to come are as the schema says."""
    (forked.cwd / "w.py").write_text(
        "import time\n"
        "from durajob import Workflow, sleep\n"
        "locks, sleeps, tries = (Workflow(name, dict) for name in 'lst')\n"
        "locks.step(lock='L', name='hold')(lambda state: time.sleep(600))\n"
        "sleeps.step(delay='2h', name='late')(lambda state: {})\n"
        "tries.step(retry={'on': OSError, 'wait': '1h', 'max_wait': '1h'}, name='fails')(\n"
        "    lambda state: open('/nowhere'))\n"
    )
    check(forked.run("start", "./w.py:sleeps", "-t", "sleeps", "--json", check=3))
    runs = [forked.begin("start", "./w.py:locks", "-t", name) for name in ("a", "b")]
    runs.append(forked.begin("start", "./w.py:tries", "-t", "c"))

    def shown(field: str, *threads: str) -> Completed | None:
        for thread in threads:
            done = forked.run("status", thread, "--json")
            if done.exit_status == 0 and f'"{field}"' in done.stdout:
                return done
        return None

    for field, threads in (("waiting_for_locks", ("a", "b")), ("due_at", ("c",))):
        done = wait_for(partial(shown, field, *threads))
        assert done is not None
        check(done)
    for thread in ("a", "b", "c", "sleeps"):
        check(forked.run("why", thread, "--json", check=0))
    for run in runs:
        run.kill()


def test_each_change_that_is_watched_fits_the_schema(forked: Forked) -> None:
    """With --json-lines an object a line."""
    forked.run("start", "retry", "-t", "a", "-i", "failure_rate:=-1", check=1)
    lines = forked.run("watch", "a", "--json-lines", check=0).stdout.splitlines()
    schema = {"$ref": "watch.json#/$defs/change", "unevaluatedProperties": False}
    validator = Draft202012Validator(schema, registry=REGISTRY)
    assert {"thread", "step"} == {json.loads(line)["change"] for line in lines}
    assert [] == [
        error.message for line in lines for error in validator.iter_errors(json.loads(line))
    ]


def test_an_error_of_no_command_fits_the_envelope(forked: Forked) -> None:
    """What is not understood is answered in the same form."""
    done = forked.run("--json", "frobnicate", check=2)
    Draft202012Validator({"$ref": "envelope.json"}, registry=REGISTRY).validate(done.json)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one(name: str) -> None:
    """Each file is a JSON Schema that is named after itself."""
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert f"{name}.json" == SCHEMAS[name]["$id"]


@pytest.mark.parametrize(
    ("title", "schema"),
    [
        ("The envelope", SCHEMAS["envelope"]),
        ("A thread", SCHEMAS["thread"]),
        ("A step", SCHEMAS["thread"]["$defs"]["step"]),
    ],
)
def test_the_page_has_every_field(title: str, schema: dict[str, Any]) -> None:
    """A field that a schema has stands in the page's table, in the same order, and no other."""
    fields = [row[0].strip("`") for row in table(PAGE, title)]
    assert list(schema["properties"]) == fields


def test_every_command_has_its_schema() -> None:
    """No verb without one."""
    from durajob.cli.verbs import VERBS

    assert {*VERBS, "envelope", "thread"} == set(SCHEMAS)
    assert all((Path("schema") / f"{verb}.json").as_posix() in PAGE for verb in VERBS)
