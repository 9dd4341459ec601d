"""Workflows and graphs inside others: each of their steps is durable, under its own policies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked
from tests.integration.judge import lines

NESTED = Path(__file__).with_name("nested.py")

pytestmark = pytest.mark.usefixtures("effects")

STEPS = ["accept", "look", "price1", "price2", "pay", "send"]


def noted(effects: Path) -> list[str]:
    """What was noted, without the process that a step ran in."""
    return [line for line in lines(effects) if not line.startswith("pid:")]


def by_name(thread: Any) -> dict[str, tuple[str, int]]:
    """Status and attempts of each step."""
    return {step["step"]: (step["status"], step["attempts"]) for step in thread["steps"]}


def problem(forked: Forked, *args: str | Path) -> str:
    """What validate says of the one workflow."""
    found = forked.run(*args, "--json", check=78).data["workflows"][0]["problem"]
    return f"{found['message']}; {found['hint']}"


def test_the_steps_of_an_included_workflow_keep_their_policies(
    forked: Forked, effects: Path
) -> None:
    """Its map, its retry, its timeout's own process, its lock and its effects: all as outside."""
    run = forked.begin("start", f"{NESTED}:orders", "-t", "t", "--json", env={"ONCE": "pay"})
    done = run.wait(check=0)
    (pid,) = (line for line in lines(effects) if line.startswith("pid:"))
    assert f"pid:{run.pid}" != pid
    assert sorted([*STEPS, "pay"]) == sorted(noted(effects))
    once = ("succeeded", 1)
    assert {
        "accept": once,
        "billing/look": once,
        "billing/price[0]": once,
        "billing/price[1]": once,
        "billing/pay": ("succeeded", 2),
        "send": once,
    } == by_name(done.thread)
    assert "30-by-ada" == done.thread["state"]["sent"]


def test_a_kill_inside_an_included_workflow_repeats_only_what_was_in_flight(
    forked: Forked, effects: Path
) -> None:
    """However deep it is."""
    places = ["look:before", "send:before"]
    env = {"DIE": ",".join(places)}
    for _ in places:
        forked.run("start", f"{NESTED}:shop", "-t", "t", "--on-exists", "resume", env=env)
    done = forked.run("resume", "t", "--json", env=env, check=0)
    assert sorted(STEPS) == sorted(noted(effects))
    assert ("succeeded", 2) == by_name(done.thread)["order/send"]


def test_the_steps_inside_are_compensated(forked: Forked, effects: Path) -> None:
    """In the one reverse order of the whole thread, and a killed saga goes on there."""
    env = {"FAIL": "send"}
    done = forked.run("start", f"{NESTED}:shop", "-t", "t", "--json", env=env, check=1)
    assert "compensated" == done.thread["outcome"]
    undone = noted(effects)[len(STEPS) :]
    assert "unpay:ada:30-by-ada" == undone[0]
    assert ["unprice:1:10", "unprice:2:20"] == sorted(undone[1:])
    assert ("succeeded", 1) == by_name(done.thread)["order/billing/pay:compensate"]


def test_the_graph_of_nested_workflows_runs_without_durajob() -> None:
    """Taken away, it is plain LangGraph: its policies stay behind, its helpers do nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.nested", "bob"],
        env={**os.environ, "PYTHONPATH": str(NESTED.parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert "'sent': '30-by-ada'" in done.stdout


def test_workflows_toml_reaches_steps_inside_a_subgraph(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """By their path; what has no such path is refused with the nearest."""
    toml = tmp_path / "workflows.toml"
    toml.write_text(f"""
version = 1
[workflows.w]
graph = "{NESTED}:raw"
[workflows.w.steps."outer/sub/deeper"]
retry = {{ on = "ConnectionError", attempts = 2, wait = "1ms" }}
[workflows.w.steps."outer/sub/deep"]
compensate = "{NESTED}:undo"
""")
    env = {"ONCE": "deeper"}
    done = forked.run("-f", toml, "start", "w", "-t", "t", "--json", env=env, check=0)
    assert ("succeeded", 2) == by_name(done.thread)["outer/sub/deeper"]
    env = {"FAIL": "deeper"}
    done = forked.run("-f", toml, "start", "w", "-t", "u", "--json", env=env, check=1)
    assert "compensated" == done.thread["outcome"]
    assert "undo:1:2" == lines(effects)[-1]
    toml.write_text(toml.read_text().replace('/deep"', '/dep"'))
    assert "no step 'outer/sub/dep'; did you mean 'outer/sub/deep'?" in problem(
        forked, "-f", toml, "validate"
    )


@pytest.mark.parametrize(
    "policy",
    [
        'timeout = "3s"',
        'idle_timeout = "3s"',
        "isolate = true",
        'lock = "x"',
        'delay = "3s"',
        "max_crashes = 2",
        'retry = { on = "OSError" }',
        f'compensate = "{NESTED}:undo"',
    ],
)
def test_a_policy_of_a_subgraph_as_a_whole_is_refused(
    forked: Forked, tmp_path: Path, policy: str
) -> None:
    """By name, with the step that could have it."""
    toml = tmp_path / "workflows.toml"
    toml.write_text(
        f'version = 1\n[workflows.w]\ngraph = "{NESTED}:raw"\n[workflows.w.steps.outer]\n{policy}\n'
    )
    said = problem(forked, "-f", toml, "validate")
    word = policy.partition(" ")[0]
    assert f"step 'outer' is a subgraph, which takes no {word} as a whole" in said
    assert '[workflows.NAME.steps."outer/first"]' in said


def test_a_step_that_is_gone_inside_a_subgraph_is_refused(forked: Forked, effects: Path) -> None:
    """LangGraph would leave it out in silence; with --accept-change, too, it is not left out."""
    forked.run("start", f"{NESTED}:raw", "-t", "t", env={"FAIL": "deeper"}, check=1)
    env = {"INNER": "deepest"}
    refused = forked.run("resume", "t", "--json", env=env, check=65)
    message = json.loads(refused.stdout)["error"]["message"]
    assert "inside: -outer/sub/deeper" in message
    failed = forked.run("resume", "t", "--accept-change", "--json", env=env, check=1)
    assert "DefinitionChanged" == failed.thread["error"]["type"]
    assert "'outer/sub/deeper'" in failed.thread["error"]["message"]
    done = forked.run("resume", "t", "--accept-change", "--json", check=0)
    assert "completed" == done.thread["status"]
    assert ["first", "deep", "deeper", "deeper"] == lines(effects)


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("functional", "functional API (@entrypoint)"),
        ("with_entrypoint", "step 'call' is an @entrypoint"),
        ("with_context", "the graph has a context_schema"),
        ("with_inner_context", "the subgraph 'sub' has a context_schema"),
    ],
)
def test_what_durajob_would_not_keep_is_refused(forked: Forked, graph: str, said: str) -> None:
    """By validate, with the reason; and no thread is admitted."""
    assert said in problem(forked, "validate", f"{NESTED}:{graph}")
    forked.run("start", f"{NESTED}:{graph}", "-t", "t", check=78)
    assert [] == forked.run("list", "--json").data["threads"]


def test_tasks_are_a_part_of_the_step_that_calls_them(forked: Forked, effects: Path) -> None:
    """After a kill the step runs again from its top, and calls them as it did."""
    env = {"DIE": "call:after"}
    forked.run("start", f"{NESTED}:with_tasks", "-t", "t", env=env)
    done = forked.run("resume", "t", "--json", env=env, check=0)
    assert [2, 4] == done.thread["state"]["out"]
    assert {"double1", "double2"} == set(lines(effects))


def test_a_command_may_leave_a_subgraph(forked: Forked, effects: Path) -> None:
    """Killed before and after, each step has run once."""
    env = {"DIE": "leave:before,after:before"}
    for _ in range(2):
        forked.run("start", f"{NESTED}:leaves", "-t", "t", "--on-exists", "resume", env=env)
    done = forked.run("resume", "t", "--json", env=env, check=0)
    assert ["left", "after"] == done.thread["state"]["out"]
    assert ["leave", "after"] == lines(effects)


def test_the_rest_of_langgraph_does_no_harm(forked: Forked, effects: Path) -> None:
    """Caches and streams have no effect; schemas and managed values are as LangGraph has them."""
    for thread in ("t", "u"):
        done = forked.run("start", f"{NESTED}:extras", "-t", thread, "-i", "n:=3", "--json")
        assert [3, False] == done.thread["state"]["out"]
    assert ["cached", "cached"] == lines(effects)


@pytest.mark.parametrize("isolate", ["", "1"])
def test_a_loop_says_how_far_it_is(forked: Forked, effects: Path, isolate: str) -> None:
    """Also from a worker process; what was said last outlives a kill."""
    env = {"ISOLATE": isolate, "DIE": "walk:c"}
    forked.run("start", f"{NESTED}:tracked", "-t", "t", env=env)
    step = forked.run("status", "t", "--json").thread["steps"][0]
    assert {"done": 2, "total": 3, "note": "at c"} == step["progress"]
