"""``compensate``: what is taken, and what is refused before a thread exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph

from durajob import Workflow
from durajob.config.load import load_config
from durajob.engine.graph import describe
from durajob.errors import ConfigError, TargetError
from durajob.policies import Compensation, RetryPolicy, StepPolicy
from durajob.registry import Definition, Registry
from durajob.targets import load


class State(TypedDict, total=False):
    items: list[int]
    n: int


def step(state: State) -> None:
    """A step that does nothing."""


def pair(item: int, shared: State) -> None:
    """What a map with shared values runs."""


def undo(state: State, result: object) -> None:
    """A compensation that fits a step."""


def test_a_function_or_one_with_a_retry_is_taken() -> None:
    """Both become a policy of the step."""
    wf = Workflow("w", State)
    wf.step(name="a", compensate=undo)(step)
    wf.step(name="b", compensate={"run": undo, "retry": {"on": OSError}})(step)
    retry = RetryPolicy(on=(OSError,))
    assert {
        "a": StepPolicy(compensate=Compensation(run=undo)),
        "b": StepPolicy(compensate=Compensation(run=undo, retry=retry)),
    } == dict(wf.policies)


@pytest.mark.parametrize(
    ("compensate", "said"),
    [
        ("undo", "'undo', which is no function"),
        ({}, "compensate says no 'run'"),
        ({"run": undo, "retri": {}}, "unknown key 'retri'"),
        ({"run": undo, "retry": {"attempts": 2}}, "retry says no 'on'"),
        (lambda state: None, r"is called with \(state, result\)"),
        (lambda a, b, c: None, r"is called with \(state, result\)"),
    ],
)
def test_a_compensation_that_makes_no_sense_is_refused_at_once(compensate: Any, said: str) -> None:
    """With the step's name, where it is declared."""
    with pytest.raises(ConfigError, match=f"step 'step'.*{said}"):
        Workflow("w", State).step(compensate=compensate)(step)


def test_the_compensation_of_a_map_takes_what_its_function_takes() -> None:
    """And the result after it."""
    wf = Workflow("w", State)
    with pytest.raises(ConfigError, match=r"is called with \(item, shared, result\)"):
        wf.map(over="items", share=["n"], name="m", compensate=undo)(pair)


SPEC = 'version = 1\n[workflows.w]\ngraph = "./wf.py:graph"\n[workflows.w.steps.a]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("compensate = 1", "compensate: must be"),
        ('compensate = "undo"', "compensate: 'undo' does not say which name"),
        ("compensate = {}", "compensate: run is missing"),
        ('compensate = { run = "./wf.py:undo", x = 1 }', "compensate.x: unknown key"),
        (
            'compensate = { run = "./wf.py:undo", retry = { attempts = 2 } }',
            "compensate.retry: does not say what to retry on",
        ),
        (
            'compensate = { run = "./wf.py:undo", retry = { on = "OSError", attempts = 0 } }',
            "compensate.retry.attempts: must be at least 1",
        ),
    ],
)
def test_a_bad_compensation_in_workflows_toml_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    """With its line and its key."""
    file = tmp_path / "workflows.toml"
    file.write_text(SPEC + text)
    with pytest.raises(ConfigError) as refused:
        load_config(file)
    assert f"5: workflows.w.steps.a.{said}" in str(refused.value)


SHELL_SPEC = 'version = 1\n[[workflows.w.steps]]\nname = "a"\nrun = "true"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("compensate = 1", "compensate: must be"),
        ('compensate = " "', "compensate: is empty"),
        ('compensate = { run = "" }', "compensate.run: is empty"),
        ("compensate = {}", "compensate: run is missing"),
        ('compensate = { run = "true", tiemout = "1s" }', "compensate.tiemout: unknown key"),
        ('compensate = { run = "true", when = "true" }', "compensate.when: unknown key"),
        ('compensate = { run = "true", timeout = "-1s" }', "compensate.timeout: "),
        (
            'compensate = { run = "true", env = { DURAJOB_X = "" } }',
            "compensate.env: 'DURAJOB_X' cannot be set",
        ),
        ('compensate = { run = "true", cwd = "" }', "compensate.cwd: names no folder"),
        ('compensate = { run = "true", shell = [] }', "compensate.shell: is empty"),
        (
            'compensate = { run = "true", retry = { attempts = 2 } }',
            "compensate.retry: does not say what to retry on",
        ),
        (
            'compensate = { run = "true", retry = { on = "OSError", on_exit = 1 } }',
            "compensate.retry.on: a command has no exceptions",
        ),
        (
            'compensate = { run = "true", retry = { on_exit = 1, wait = "9m", max_wait = "1s" } }',
            "compensate.retry: wait is longer than max_wait",
        ),
    ],
)
def test_a_bad_compensation_of_a_shell_step_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    """With its key and the rule."""
    file = tmp_path / "workflows.toml"
    file.write_text(SHELL_SPEC + text)
    with pytest.raises(ConfigError) as refused:
        load_config(file)
    assert f"workflows.w.steps.a.{said}" in str(refused.value)


GRAPH = """
from langgraph.graph import START, StateGraph

graph = StateGraph(dict).add_node("a", lambda state: state).add_edge(START, "a")
number = 1

def undo(state, result):
    pass

def none():
    pass
"""


def definition(folder: Path, name: str) -> Definition:
    """Workflow ``w``, whose step is compensated by what the file calls ``name``."""
    (folder / "wf.py").write_text(GRAPH)
    file = folder / "workflows.toml"
    file.write_text(f'{SPEC}compensate = "./wf.py:{name}"')
    return Registry(file).get("w")


def test_the_function_that_workflows_toml_names_is_looked_up(tmp_path: Path) -> None:
    """In the same module as the graph, where it is one file."""
    compensate = load(definition(tmp_path, "undo")).policies["a"].compensate
    assert compensate is not None
    assert "undo" == getattr(compensate.run, "__name__", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("redo", "does not load: .*there is no 'redo' in it"),
        ("number", "is no function"),
        ("none", r"is called with \(state, result\)"),
    ],
)
def test_a_name_that_is_no_compensation_is_refused(tmp_path: Path, name: str, said: str) -> None:
    """When the workflow is loaded, before a thread exists."""
    with pytest.raises(ConfigError, match=f"workflow 'w', step 'a': .*{said}"):
        load(definition(tmp_path, name))


def test_a_subgraph_is_not_compensated() -> None:
    """It is no step: what it did is in its own steps, which no policy reaches."""
    inner: Any = StateGraph(State).add_node("x", lambda state: {}).add_edge(START, "x").compile()
    outer: Any = StateGraph(State).add_node("sub", inner).add_edge(START, "sub")
    with pytest.raises(TargetError, match="step 'sub' is a subgraph"):
        describe(outer, {"sub": StepPolicy(compensate=Compensation(run=undo))})
