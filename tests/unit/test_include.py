"""Workflows as steps of others: what ``include`` declares, and what it refuses."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph

from durajob import Workflow
from durajob.errors import ConfigError


class State(TypedDict, total=False):
    n: int
    seen: list[str]


class Other(TypedDict, total=False):
    other: int


def says(name: str) -> Any:
    """A step that adds its name to what was seen."""

    def step(state: State) -> State:
        return {"seen": [*state.get("seen", []), name]}

    step.__name__ = name
    return step


def of(name: str, *steps: str, **policy: Any) -> Workflow[State]:
    """A workflow of steps in a row."""
    workflow = Workflow(name, State)
    for step in steps:
        workflow.step(**policy)(says(step))
    return workflow


def graph(schema: Any = State) -> StateGraph[Any]:
    """A plain graph of one step."""
    plain = StateGraph(schema)
    plain.add_node("inside", lambda state: {"n": 1})
    plain.add_edge(START, "inside")
    return plain


def test_what_is_included_stands_in_the_order_like_a_step() -> None:
    """Under its workflow's name or another, before and after others, and beside them."""
    outer = of("outer", "a")
    inner = of("inner", "x", "y")
    outer.include(inner)
    outer.include(inner, name="again", after="inner")
    outer.step(after="again")(says("b"))
    state = outer.graph().compile().invoke({})
    assert ["a", "x", "y", "x", "y", "b"] == state["seen"]


def test_others_may_come_after_the_workflow_itself() -> None:
    """``after`` takes what was included, be it a workflow, a graph or a compiled one."""
    for inner in (of("inner", "x"), graph(), graph().compile()):
        outer = Workflow("outer", State)
        outer.include(inner, name="inner")
        outer.step(after=inner)(says("b"))
        assert ["b"] == outer.graph().compile().invoke({})["seen"][-1:]


def test_policies_of_the_steps_inside_are_named_by_their_path() -> None:
    """However deep; the step itself has none."""
    deep = of("deep", "x", isolate=True)
    middle = of("middle", "y", delay="3s")
    middle.include(deep)
    outer = of("outer", "a")
    outer.include(middle, name="m")
    assert {"m/y": 3.0, "m/deep/x": None} == {
        step: policy.delay for step, policy in outer.policies.items()
    }
    assert outer.policies["m/deep/x"].isolate


@pytest.mark.parametrize(
    ("include", "said"),
    [
        (lambda outer: outer.include(says("x")), "takes a Workflow or a LangGraph graph"),
        (lambda outer: outer.include(graph()), "needs a name"),
        (lambda outer: outer.include(outer), "'outer' would be a step of itself"),
        (lambda outer: outer.include(of("a", "x")), "has two steps 'a'"),
        (lambda outer: outer.include(of("1", "x")), "no digit first"),
        (lambda outer: outer.step(of("inner", "x")), "is no function"),
    ],
)
def test_what_cannot_be_included_is_refused_at_once(include: Any, said: str) -> None:
    """With what could be written instead."""
    with pytest.raises(ConfigError) as raised:
        include(of("outer", "a"))
    assert said in raised.value.message
    assert raised.value.hint or "no digit first" in said


def test_a_circle_of_workflows_is_refused() -> None:
    """Over any number of workflows."""
    a, b, c = of("a", "x"), of("b", "x"), of("c", "x")
    a.include(b)
    b.include(c)
    with pytest.raises(ConfigError, match="'c' would be a step of itself"):
        c.include(a)


@pytest.mark.parametrize("inner", [Workflow("inner", Other), graph(Other)])
def test_what_shares_no_key_of_the_state_is_refused(inner: Any) -> None:
    """Nothing could be handed to it, nor come back."""
    if isinstance(inner, Workflow):
        inner.step(says("x"))
    outer = of("outer", "a")
    outer.include(inner, name="inner")
    with pytest.raises(ConfigError, match="step 'inner': shares no key of the state"):
        outer.graph()


def test_what_makes_no_graph_is_told_with_its_place() -> None:
    """Of a workflow without steps, and of a graph without a beginning."""
    for inner, said in ((Workflow("inner", State), "no steps"), (StateGraph(State), "'inner'")):
        outer = of("outer", "a")
        outer.include(inner, name="inner")
        with pytest.raises(ConfigError, match=said):
            outer.graph()
