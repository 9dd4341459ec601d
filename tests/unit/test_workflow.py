"""The Workflow builder: what declarations become, and which are refused."""

from __future__ import annotations

import operator
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest

from durajob import Workflow
from durajob.errors import ConfigError, StepFault, UnknownNextStep
from durajob.policies import RetryPolicy, StepPolicy


class State(TypedDict, total=False):
    n: int
    seen: Annotated[list[str], operator.add]
    items: list[Any]
    results: list[Any] | None
    doubled: list[int]


def saying(name: str) -> Any:
    """A step that only says that it ran."""

    def step(state: State) -> State:
        return {"seen": [name]}

    step.__name__ = name
    return step


def run(workflow: Workflow[Any], **input: Any) -> Any:
    """The state at the end, run by LangGraph alone."""
    return workflow.graph().compile().invoke(input)


def refused(workflow: Workflow[Any]) -> ConfigError:
    """The refusal of these declarations."""
    with pytest.raises(ConfigError) as raised:
        workflow.graph()
    return raised.value


def test_steps_follow_the_order_in_which_they_are_declared() -> None:
    """Without ``after``, a step follows the one declared before it."""
    wf = Workflow("w", State)
    for name in ("a", "b", "c"):
        wf.step(saying(name))
    assert ["a", "b", "c"] == run(wf)["seen"]


def test_decorating_returns_the_function_itself() -> None:
    """A step and a map's function stay plain functions, to be tested alone."""
    wf = Workflow("w", State)

    def plain(state: State) -> State:
        return {}

    def each(item: int) -> int:
        return item

    assert plain is wf.step(plain)
    assert plain is wf.step(name="other")(plain)
    assert each is wf.map(over="items")(each)


def test_a_join_waits_for_all_and_roots_begin_at_once() -> None:
    """``after=[a, b]`` runs once, after both; ``after=None`` makes another root."""
    wf = Workflow("w", State)
    a = wf.step(saying("a"))
    b = wf.step(after=None)(saying("b"))
    longer = wf.step(after=b)(saying("longer"))
    wf.step(after=[a, longer])(saying("join"))
    seen = run(wf)["seen"]
    assert ["a", "b"] == sorted(seen[:2])
    assert ["longer", "join"] == seen[2:]


def test_a_step_may_be_named_instead_of_referred_to() -> None:
    """``after`` takes names too, of steps that are declared later as well."""
    wf = Workflow("w", State)
    wf.step(after="z")(saying("a"))
    wf.step(after=[])(saying("z"))
    assert ["z", "a"] == run(wf)["seen"]


@pytest.mark.parametrize("count", [0, 1, 37])
def test_a_map_collects_in_the_order_of_the_items(count: int) -> None:
    """Results come in input order, whatever their number; the next step runs once."""
    wf = Workflow("w", State)
    wf.map(over="items", collect="results", after=None, name="double")(lambda item: item * 2)
    wf.step(saying("next"))
    state = run(wf, items=list(range(count)))
    assert [item * 2 for item in range(count)] == (state.get("results") or [])
    assert ["next"] == state["seen"]


@pytest.mark.parametrize("count", [0, 3])
def test_a_join_after_a_map_runs_even_when_the_list_is_empty(count: int) -> None:
    """A join that waits for a map is not left waiting by an empty list."""
    wf = Workflow("w", State)
    first = wf.step(saying("first"))
    each = wf.map(over="items", collect="doubled", name="each", after=first)(lambda item: item)
    side = wf.step(after=first)(saying("side"))
    wf.step(after=[each, side])(saying("join"))
    assert ["first", "side", "join"] == run(wf, items=list(range(count)))["seen"]


def test_an_empty_map_at_the_end_ends_the_run() -> None:
    """Nothing follows, nothing to do: that is a finished run."""
    wf = Workflow("w", State)
    wf.step(saying("first"))
    wf.map(over="items", name="each")(lambda item: None)
    assert ["first"] == run(wf, items=[])["seen"]


def test_branches_share_only_what_is_named() -> None:
    """``share`` hands each branch those keys of the state, and no others."""
    wf = Workflow("w", State)
    wf.map(over="items", collect="results", share=["n"], after=None, name="each")(
        lambda item, shared: [item, shared]
    )
    assert [[1, {"n": 7}], [2, {"n": 7}]] == run(wf, items=[1, 2], n=7)["results"]


def test_none_empties_what_a_map_collected() -> None:
    """A later step can drop the results from the state by returning None for them."""
    wf = Workflow("w", State)
    wf.map(over="items", collect="results", after=None, name="each")(lambda item: item)
    wf.step(name="drop")(lambda state: {"results": None})
    assert [] == run(wf, items=[1, 2])["results"]


def test_a_map_without_collect_returns_changes_of_the_state() -> None:
    """Its function then returns what a step returns."""
    wf = Workflow("w", State)
    wf.map(over="items", after=None, name="each")(lambda item: {"seen": [item]})
    assert ["x", "y"] == run(wf, items=["x", "y"])["seen"]


def test_a_dataclass_state_with_its_own_reducer_can_be_mapped() -> None:
    """Schemas other than TypedDict bring the reducer themselves."""
    wf = Workflow("w", Plain)
    wf.map(over="items", collect="results", after=None, name="each")(lambda item: item + 1)
    assert [2, 3] == run(wf, items=[1, 2])["results"]


def test_a_map_cannot_collect_into_a_dataclass_key_without_a_reducer() -> None:
    """The missing reducer is named, with the way to declare it."""
    wf = Workflow("w", Plain)
    wf.map(over="items", collect="items", after=None, name="each")(lambda item: item)
    error = refused(wf)
    assert "no reducer" in error.message
    assert "items: Annotated[list, operator.add]" in (error.hint or "")


@dataclass
class Plain:
    items: list[int] = field(default_factory=list)
    results: Annotated[list[int], operator.add] = field(default_factory=list)


@pytest.mark.parametrize(("items", "said"), [("text", "of type str"), (None, "of type NoneType")])
def test_a_map_over_no_list_fails_by_name(items: object, said: str) -> None:
    """Text is not taken for a list of letters."""
    wf = Workflow("w", State)
    wf.map(over="items", after=None, name="each")(lambda item: None)
    with pytest.raises(StepFault, match=said):
        run(wf, items=items)


def test_a_map_over_a_key_that_nothing_set_fails_by_name() -> None:
    """The key is named."""
    wf = Workflow("w", State)
    wf.map(over="items", after=None, name="each")(lambda item: None)
    with pytest.raises(StepFault, match="nothing has set"):
        run(wf, n=1)


@pytest.mark.parametrize(
    ("n", "seen"), [(1, ["look", "low", "meet"]), (9, ["look", "high", "meet"]), (5, ["look"])]
)
def test_a_branch_goes_one_way_and_the_ways_meet_again(n: int, seen: list[str]) -> None:
    """A step that a branch leads to follows nothing else; ``after_any`` is where ways meet."""
    wf = Workflow("w", State)
    look = wf.step(saying("look"))
    low = wf.step(saying("low"))
    high = wf.step(saying("high"))
    wf.step(after_any=[low, high])(saying("meet"))
    wf.branch(
        after=look,
        choose=lambda state: "low" if state["n"] < 5 else "high" if state["n"] > 5 else "none",
        to={"low": low, "high": high, "none": None},
    )
    assert seen == run(wf, n=n)["seen"]


def test_a_branch_may_lead_back() -> None:
    """A loop is a branch to an earlier step, which is first reached as it was declared."""
    wf = Workflow("w", State)
    wf.step(saying("first"))
    poll = wf.step(name="poll")(lambda state: {"n": state["n"] - 1, "seen": ["poll"]})
    done = wf.step(saying("done"))
    wf.branch(after="poll", choose=lambda state: state["n"] > 0, to={True: poll, False: done})
    assert ["first", "poll", "poll", "poll", "done"] == run(wf, n=3)["seen"]


def test_a_choice_that_is_no_key_fails_by_name() -> None:
    """LangGraph alone would raise a bare KeyError."""
    wf = Workflow("w", State)
    a = wf.step(saying("a"))
    wf.branch(after=a, choose=lambda state: "typo", to={"end": None})
    with pytest.raises(UnknownNextStep, match="chose 'typo', which is none of 'end'"):
        run(wf)


def test_each_graph_is_new_and_the_same() -> None:
    """A user may change the graph that was handed out; the next one is as declared."""
    wf = Workflow("w", State)
    wf.step(saying("a"))
    first = wf.graph()
    first.add_node("mine", lambda state: None)
    assert ["a"] == list(wf.graph().nodes)


def test_policies_hold_the_steps_that_have_one() -> None:
    """``retry`` becomes a RetryPolicy with its durations in seconds."""
    wf = Workflow("w", State)
    wf.step(saying("a"))
    wf.step(
        retry={"attempts": 5, "on": [ConnectionError, "my.mod:Slow"], "wait": "2s", "max_wait": 60}
    )(saying("b"))
    expected = RetryPolicy(attempts=5, on=(ConnectionError, "my.mod:Slow"), wait=2.0, max_wait=60.0)
    assert {"b": StepPolicy(retry=expected)} == dict(wf.policies)


def test_max_crashes_is_a_policy_of_its_step() -> None:
    """It may be said without a retry, and what makes no sense is refused at once."""
    wf = Workflow("w", State)
    wf.step(max_crashes=1)(saying("a"))
    assert {"a": StepPolicy(max_crashes=1)} == dict(wf.policies)
    for absurd in (0, True, 1.5):
        with pytest.raises(ConfigError, match="from 1 to 1,000,000"):
            wf.step(max_crashes=absurd)(saying("b"))  # type: ignore[arg-type]


def test_a_wait_longer_than_the_usual_limit_lifts_it() -> None:
    """Who says only ``wait`` means it."""
    wf = Workflow("w", State)
    wf.step(retry={"on": OSError, "wait": "10m"})(saying("a"))
    retry = wf.policies["a"].retry
    assert retry is not None
    assert (600.0, 600.0) == (retry.wait, retry.max_wait)


@pytest.mark.parametrize(
    ("retry", "said"),
    [
        ({"attempts": 3}, "says no 'on'"),
        ({"on": OSError, "atempts": 3}, "unknown key 'atempts'"),
        ({"on": []}, "is empty"),
        ({"on": "NoSuchError"}, "'NoSuchError', which is no exception"),
        ({"on": KeyboardInterrupt}, "no exception class"),
        ({"on": OSError("x")}, "no exception class"),
        ({"on": OSError, "attempts": 0}, "from 1 to 1000"),
        ({"on": OSError, "attempts": True}, "from 1 to 1000"),
        ({"on": OSError, "attempts": 2.5}, "from 1 to 1000"),
        ({"on": OSError, "factor": 0.5}, "from 1 to 100"),
        ({"on": OSError, "factor": float("nan")}, "from 1 to 100"),
        ({"on": OSError, "wait": "soon"}, "'soon' is not a duration"),
        ({"on": OSError, "wait": -1}, "not a wait"),
        ({"on": OSError, "wait": float("inf")}, "not a wait"),
        ({"on": OSError, "wait": "2m", "max_wait": "1m"}, "longer than 'max_wait'"),
        ({"on": OSError, "jitter": 1}, "not True or False"),
        ({"on_exit": []}, "'on_exit' is empty"),
        ({"on_exit": [0]}, "from 1 to 255"),
        ({"on_exit": True}, "from 1 to 255"),
        ({"on": OSError, "total": -1}, "not a wait"),
        ({"on": OSError, "wait": "2s", "total": "1s"}, "is over before the second attempt"),
        ("often", "not a dict"),
    ],
)
def test_a_retry_that_makes_no_sense_is_refused_at_once(retry: Any, said: str) -> None:
    """The message names the workflow, the step, and the rule."""
    wf = Workflow("w", State)
    with pytest.raises(ConfigError) as raised:
        wf.step(retry=retry)(saying("a"))
    assert raised.value.message.startswith("workflow 'w', step 'a'")
    assert said in raised.value.message


def test_an_unknown_key_hints_at_the_nearest() -> None:
    """A slip of the pen is named with what was meant."""
    with pytest.raises(ConfigError) as raised:
        Workflow("w", State).step(retry={"on": OSError, "max_wit": 1})(  # type: ignore[call-overload]
            saying("a")
        )
    assert "did you mean 'max_wait'?" == raised.value.hint


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "__start__x[0]", "1st", "x" * 101, "å"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    """Step names obey a rule that leaves ``[3]`` and the like to branches."""
    with pytest.raises(ConfigError, match="a step's name is"):
        Workflow("w", State).step(name=name or "-")(saying("a"))


@pytest.mark.parametrize("name", ["", "a b", "../a", "x" * 101, None])
def test_a_workflow_name_that_cannot_begin_a_thread_id_is_refused(name: Any) -> None:
    """The default thread id begins with it."""
    with pytest.raises(ConfigError, match="cannot name a workflow"):
        Workflow(name, State)


def test_two_steps_of_one_name_are_refused_at_once() -> None:
    """The second declaration is the one that fails."""
    wf = Workflow("w", State)
    wf.step(saying("a"))
    with pytest.raises(ConfigError, match="two steps 'a'"):
        wf.step(saying("a"))


def test_a_workflow_without_steps_is_refused() -> None:
    """There is nothing to run."""
    assert "workflow 'w' has no steps" == refused(Workflow("w", State)).message


def test_an_unknown_after_is_refused_with_the_nearest_name() -> None:
    """By name or by function."""
    wf = Workflow("w", State)
    wf.step(saying("reserve"))
    wf.step(after="reserv")(saying("b"))
    error = refused(wf)
    assert ("workflow 'w', step 'b': no step 'reserv'", "did you mean 'reserve'?") == (
        error.message,
        error.hint,
    )


def test_a_function_that_is_no_step_is_refused() -> None:
    """It has a name to show, so it is shown."""
    wf = Workflow("w", State)
    wf.step(after=saying("stranger"))(saying("b"))
    assert "'stranger' is not a step of this workflow" in refused(wf).message


def test_a_function_that_is_two_steps_must_be_named() -> None:
    """Which of the two is meant cannot be known."""
    wf = Workflow("w", State)
    twice = saying("one")
    wf.step(twice)
    wf.step(name="two")(twice)
    wf.step(after=twice)(saying("b"))
    assert "is the steps 'one', 'two'" in refused(wf).message


def test_a_cycle_is_refused() -> None:
    """Steps that wait for each other are shown in order."""
    wf = Workflow("w", State)
    wf.step(saying("root"))
    wf.step(after="c")(saying("b"))
    wf.step(after="b")(saying("c"))
    assert "wait for each other: b -> c -> b" in refused(wf).message


def test_a_step_that_nothing_leads_to_is_refused() -> None:
    """A branch from a step that is never reached reaches nothing."""
    wf = Workflow("w", State)
    wf.step(saying("a"))
    wf.step(after=None)(saying("b"))
    look = wf.step(after="x")(saying("look"))
    x = wf.step(saying("x"))
    wf.branch(after=look, choose=lambda state: 1, to={1: x})
    assert "nothing leads to the step 'look'" in refused(wf).message


def test_a_join_that_would_wait_for_ever_is_refused() -> None:
    """LangGraph ends such a run in silence, with the join never run."""
    wf = Workflow("w", State)
    look, a, b = (wf.step(saying(name)) for name in ("look", "a", "b"))
    wf.step(after=[a, b])(saying("join"))
    wf.branch(after=look, choose=lambda state: True, to={True: a, False: b})
    error = refused(wf)
    assert (
        "'join' would wait for ever for 'a' when the branch after 'look' chooses" in (error.message)
        or "'join' would wait for ever for 'b'" in error.message
    )
    assert "after_any=['a', 'b'] runs it when one of them has finished" == error.hint


def test_a_map_after_a_map_is_refused() -> None:
    """LangGraph would fan out anew for each branch."""
    wf = Workflow("w", State)
    wf.map(over="items", collect="results", after=None, name="one")(lambda item: item)
    wf.map(over="results", name="two")(lambda item: None)
    assert "the map 'two' follows the map 'one'" in refused(wf).message


def test_a_branch_at_a_map_is_refused() -> None:
    """It would choose once for each branch of the map."""
    wf = Workflow("w", State)
    one = wf.map(over="items", after=None, name="one")(lambda item: None)
    wf.branch(after=one, choose=lambda state: 1, to={1: None})
    assert "cannot begin or end at the map 'one'" in refused(wf).message


def test_a_map_over_an_unknown_key_is_refused() -> None:
    """The keys that there are stand in the hint."""
    wf = Workflow("w", State)
    wf.map(over="itms", after=None, name="one")(lambda item: None)
    error = refused(wf)
    assert "has no key 'itms'" in error.message
    assert "items" in (error.hint or "")


def test_a_map_whose_function_takes_something_else_is_refused() -> None:
    """One item, and the shared values only when some are named."""
    with pytest.raises(ConfigError, match="takes one item"):
        Workflow("w", State).map(over="items", name="m")(lambda item, state: None)
    with pytest.raises(ConfigError, match="takes an item and the shared values"):
        Workflow("w", State).map(over="items", share=["n"], name="m")(lambda item: None)


def test_a_map_after_several_steps_is_refused() -> None:
    """LangGraph has no fan-out behind a join."""
    with pytest.raises(ConfigError, match="follows one step"):
        Workflow("w", State).map(over="items", after=["a", "b"])  # type: ignore[arg-type]


def test_a_step_named_like_a_key_is_refused() -> None:
    """LangGraph refuses it too, without a hint."""
    wf = Workflow("w", State)
    wf.step(saying("items"))
    assert "is a step and a key of the state" in refused(wf).message


def test_async_steps_and_maps_stay_async() -> None:
    """A coroutine function may be a step or a map's function."""
    import asyncio

    wf = Workflow("w", State)

    @wf.map(over="items", collect="results", after=None)
    async def each(item: int) -> int:
        await asyncio.sleep(0)
        return item + 1

    @wf.step
    async def last(state: State) -> State:
        return {"seen": ["last"]}

    state = asyncio.run(wf.graph().compile().ainvoke({"items": [1, 2]}))
    assert ([2, 3], ["last"]) == (state["results"], state["seen"])


def test_importing_the_builder_loads_no_langgraph() -> None:
    """``from durajob import Workflow`` and declaring steps stay light."""
    code = (
        "import sys, durajob\n"
        "assert not any(m.startswith('durajob.') for m in sys.modules), 'import durajob is lazy'\n"
        "from durajob import Workflow, progress, __version__\n"
        "wf = Workflow('w', dict); wf.step(lambda state: None, ) if 0 else None\n"
        "assert {'Workflow', 'progress', '__version__'} <= set(dir(durajob))\n"
        "heavy = {'langgraph', 'langchain_core', 'pydantic', 'rich', 'typer', 'tenacity'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ("[]\n", "") == (done.stdout, done.stderr)
