"""Questions to people: asked, answered, refused, expired; killed anywhere, no answer is lost."""

from __future__ import annotations

import os
import pwd
import signal
from pathlib import Path
from typing import Any

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.judge import lines

ASKING = Path(__file__).with_name("asking.py")


pytestmark = pytest.mark.usefixtures("effects")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store's file."""
    path = tmp_path / "s" / "d.db"
    monkeypatch.setenv("DURAJOB_STORE", str(path))
    return path


def begin(forked: Forked, graph: str, *more: str, **env: str) -> Any:
    """Start a thread ``t`` that then waits."""
    start = ("start", f"{ASKING}:{graph}", "-t", "t", "--json", *more)
    return forked.run(*start, env=env, check=3).thread


def prompts(thread: Any) -> list[Any]:
    """What it asks."""
    return [one["prompt"] for one in thread["waiting_for"] or ()]


def test_a_step_is_given_the_answers_to_all_that_it_asks(forked: Forked, effects: Path) -> None:
    """In order; each answer holds when the step begins from its top for the next."""
    thread = begin(forked, "plain")
    assert ["your name?"] == prompts(thread)
    asked = forked.run("answer", "t", "ada", "--json", check=3)
    assert "waiting" == asked.json["error"]["code"]
    assert [{"age of": "ada"}] == prompts(asked.thread)
    assert "waiting" == forked.run("resume", "t", "--json", check=3).json["error"]["code"]
    done = forked.run("answer", "t", "36", "--json", check=0)
    assert ["ada", 36] == done.thread["state"]["out"]
    assert ["ask", "ask", "ask", "after"] == lines(effects)


def test_what_is_no_answer_is_refused(forked: Forked) -> None:
    """By name, with a way out; the thread waits on, and nothing was recorded."""
    begin(forked, "send")
    for status, code, *args in (
        (2, "usage", "t"),
        (2, "usage", "t", "1", "2"),
        (2, "usage", "t", "1", "--no-resum"),
        (66, "thread_not_found", "u", "1"),
        (66, "question_not_found", "t", "1", "--question", "x"),
        (65, "answer_unfit", "t", "1.5"),
        (65, "answer_unfit", "t", "-1"),
        (65, "answer_unfit", "t", "many"),
        (65, "bad_input", "t", "[" * 100_000),
    ):
        refused = forked.run("answer", *args, "--json", check=status).json["error"]
        assert (code, True) == (refused["code"], bool(refused["hint"]))
    assert ["How many?"] == prompts(forked.run("status", "t", "--json").thread)


def test_a_misfit_is_told_with_its_place_and_its_rule(forked: Forked) -> None:
    """So that whoever answers can mend it."""
    begin(forked, "send")
    refused = forked.run("answer", "t", "-1", "--json", check=65).json["error"]
    assert "at $: -1 is less than the minimum of 0 (minimum)" in refused["message"]
    assert '"minimum": 0' in refused["hint"]


def test_an_answer_stands(forked: Forked, store: Path) -> None:
    """The same once more is fine, another one is refused; also after the thread has gone on."""
    begin(forked, "send")
    forked.run("answer", "t", "7", "--no-resume", check=0)
    for _ in range(2):
        forked.run("answer", "t", "7", "--no-resume", check=0)
        refused = forked.run("answer", "t", "8", "--json", check=65).json["error"]
        assert "answer_differs" == refused["code"]
        assert "with 7" in refused["message"]
        forked.run("answer", "t", "7", check=0)
    with sqlite.connect(store) as connection:
        (by,) = connection.execute("SELECT answered_by FROM questions").fetchone()
    assert pwd.getpwuid(os.getuid()).pw_name == by


@pytest.mark.parametrize(
    "verb", [("resume", "t"), ("start", "{}", "-t", "t", "--on-exists", "resume")]
)
def test_an_answer_that_was_only_recorded_lets_the_thread_go_on(
    forked: Forked, verb: tuple[str, ...]
) -> None:
    """It waits no more, and whatever resumes it goes on."""
    begin(forked, "send")
    recorded = forked.run("answer", "t", "7", "--no-resume", "--json", check=0).thread
    assert ("waiting", None) == (recorded["status"], recorded["waiting_for"])
    again = ("start", f"{ASKING}:send", "-t", "t", "--on-exists", "resume", "--json")
    assert [7] == forked.run(*again, check=0).thread["state"]["out"]


def test_a_kill_right_after_the_answer_loses_nothing(forked: Forked) -> None:
    """The answer is durable before anything runs."""
    begin(forked, "send")
    died = forked.run("answer", "t", "7", env={"FAULTS": "die_when_answered"})
    assert -signal.SIGKILL == died.exit_status
    recovered = forked.run("recover", "--dry-run", "--json", check=0).data["threads"]
    assert ["t"] == [thread["thread"] for thread in recovered]
    assert [7] == forked.run("resume", "t", "--json", check=0).thread["state"]["out"]


def test_a_kill_in_the_step_that_was_answered_loses_no_answer(
    forked: Forked, effects: Path
) -> None:
    """Neither the first answer nor the second is asked for again."""
    env = {"DIE": "named,aged"}
    begin(forked, "plain")
    assert -signal.SIGKILL == forked.run("answer", "t", "ada", env=env).exit_status
    assert [{"age of": "ada"}] == prompts(
        forked.run("resume", "t", "--json", env=env, check=3).thread
    )
    assert -signal.SIGKILL == forked.run("answer", "t", "36", env=env).exit_status
    done = forked.run("resume", "t", "--json", env=env, check=0)
    assert ["ada", 36] == done.thread["state"]["out"]


def test_branches_are_answered_one_by_one_in_any_order(forked: Forked, effects: Path) -> None:
    """What has finished is not run again, nor is what still waits; killed in between, too."""
    thread = begin(forked, "fan", "-i", "n:=3")
    ids = {one["step"]: one["id"] for one in thread["waiting_for"]}
    assert {"ask[0]", "ask[1]", "ask[2]"} == ids.keys()
    several = forked.run("answer", "t", "x", "--json", check=2).json["error"]
    assert "ambiguous_question" == several["code"]
    assert ids["ask[1]"] in several["message"]

    def answer(which: str, value: str, **env: str) -> Any:
        return forked.run("answer", "t", value, "--question", which, "--json", env=env)

    two = answer(ids["ask[2]"][:6], "c")
    assert (3, ["branch 0?", "branch 1?"]) == (two.exit_status, sorted(prompts(two.thread)))
    assert -signal.SIGKILL == answer("ask[0]", "a", DIE="told0").exit_status
    one = forked.run("resume", "t", "--json", check=3)
    assert ["branch 1?"] == prompts(one.thread)
    done = answer("ask[1]", "b")
    assert 0 == done.exit_status
    assert [[0, "a"], [1, "b"], [2, "c"]] == done.thread["state"]["out"]
    said = lines(effects)
    assert {"beside": 1, "after": 1, "ask0": 3, "ask1": 2, "ask2": 2} == {
        name: said.count(name) for name in ("beside", "after", "ask0", "ask1", "ask2")
    }


def test_a_question_inside_a_subgraph(forked: Forked, effects: Path) -> None:
    """It is answered like any other; the steps before it do not run again."""
    thread = begin(forked, "nested")
    assert "sub/ask" == thread["waiting_for"][0]["step"]
    assert ["and again?"] == prompts(forked.run("answer", "t", "1", "--json", check=3).thread)
    done = forked.run("answer", "t", "2", "--json", check=0)
    assert [1, 2] == done.thread["state"]["out"]
    assert ["first"] == lines(effects)


def test_each_visit_of_a_loop_asks_anew(forked: Forked) -> None:
    """The same question at another place is another one."""
    first = begin(forked, "loop")["waiting_for"][0]["id"]
    second = forked.run("answer", "t", "1", "--json", check=3).thread["waiting_for"][0]["id"]
    assert first != second
    done = forked.run("answer", "t", "2", "--json", check=0)
    assert [1, 2] == done.thread["state"]["out"]


def test_a_graph_that_a_step_calls_by_itself_cannot_ask(forked: Forked) -> None:
    """It is told, rather than asked for ever."""
    failed = forked.run("start", f"{ASKING}:called", "-t", "t", "--json", check=1)
    assert "the answer would not reach it" in failed.thread["error"]["message"]


def test_an_answer_that_its_type_refuses_can_be_given_anew(forked: Forked) -> None:
    """The step fails with what is wrong, and the question is open again."""
    begin(forked, "typed")
    assert 65 == forked.run("answer", "t", '{"number": "x"}').exit_status
    failed = forked.run("answer", "t", '{"number": 3}', "--json", check=1)
    assert "3 is odd" in failed.thread["error"]["message"]
    assert ["even?"] == prompts(forked.run("resume", "t", "--json", check=3).thread)
    done = forked.run("answer", "t", '{"number": 4}', "--json", check=0)
    assert [4] == done.thread["state"]["out"]


def test_a_schema_that_is_none_fails_the_step(forked: Forked) -> None:
    """Before anybody is asked."""
    failed = forked.run("start", f"{ASKING}:wrong", "-t", "t", "--json", check=1)
    assert "asks with a schema that is none" in failed.thread["error"]["message"]


def test_an_answer_while_the_thread_is_driven_reaches_it(forked: Forked, effects: Path) -> None:
    """It is recorded (75: another process owns the thread), and that process goes on with it."""
    run = forked.begin("start", f"{ASKING}:busy", "-t", "t", "--json")
    run.until(lambda: lines(effects) == ["work"])
    run.until(lambda: forked.run("answer", "t", "yes", "--no-resume").exit_status == 0)
    busy = forked.run("answer", "t", "yes", "--json", check=75).json["error"]
    assert "the answer is recorded" in busy["message"]
    Path(f"{effects}.go").touch()
    assert ["yes"] == run.wait(check=0).thread["state"]["out"]


def test_of_two_who_answer_at_once_one_is_told_that_it_came_too_late(forked: Forked) -> None:
    """And the thread goes on with the answer of the other."""
    begin(forked, "send")
    runs = [forked.begin("answer", "t", str(n), "--no-resume", "--json") for n in range(4)]
    ended = [run.wait() for run in runs]
    assert [0, 65, 65, 65] == sorted(each.exit_status for each in ended)
    winner = next(n for n, each in enumerate(ended) if each.exit_status == 0)
    assert [winner] == forked.run("resume", "t", "--json", check=0).thread["state"]["out"]


LATER = {"FAULTS": "set_clock", "OFFSET": "3601"}


def test_an_approval_that_expired_fails_its_step(forked: Forked) -> None:
    """Its time is counted from when it was first asked; resumed after that it asks anew."""
    asked = begin(forked, "send")
    again = forked.run("resume", "t", "--json", check=3).thread
    assert asked["waiting_for"] == again["waiting_for"]
    late = forked.run("answer", "t", "7", "--json", env=LATER, check=65).json["error"]
    assert "question_expired" == late["code"]
    failed = forked.run("resume", "t", "--json", env=LATER, check=1)
    assert "ApprovalExpired" == failed.thread["error"]["type"]
    anew = forked.run("resume", "t", "--json", env=LATER, check=3).thread
    assert anew["waiting_for"][0]["id"] != asked["waiting_for"][0]["id"]
    done = forked.run("answer", "t", "7", "--json", env=LATER, check=0)
    assert [7] == done.thread["state"]["out"]


def test_an_approval_that_expired_may_have_an_answer(forked: Forked) -> None:
    """It is taken once and for all."""
    begin(forked, "send", EXPIRY="1")
    env = {**LATER, "EXPIRY": "1"}
    assert [0] == forked.run("resume", "t", "--json", env=env, check=0).thread["state"]["out"]
    assert "at its expiry" in forked.run("answer", "t", "7", env=env, check=65).stderr


def test_approvals_lists_what_waits(forked: Forked) -> None:
    """With what it asks; nothing once it is answered."""
    assert [] == forked.run("approvals", "--json", check=0).data["threads"]
    thread = begin(forked, "send")
    (listed,) = forked.run("approvals", "--json", check=0).data["threads"]
    assert thread["waiting_for"] == listed["waiting_for"]
    shown = forked.run("approvals", check=0)
    assert "How many?" in shown.stdout
    assert "next: durajob answer t VALUE" in shown.stderr
    forked.run("answer", "t", "7", "--no-resume", check=0)
    assert [] == forked.run("approvals", "--json", check=0).data["threads"]


def test_a_thread_of_an_older_durajob_asks_anew(forked: Forked, store: Path) -> None:
    """It kept no questions: a resume runs the step once more, and then it can be answered."""
    begin(forked, "send")
    with sqlite.connect(store) as connection:
        connection.execute("DELETE FROM questions")
    assert ["How many?"] == prompts(forked.run("status", "t", "--json").thread)
    forked.run("answer", "t", "7", check=66)
    assert ["How many?"] == prompts(forked.run("resume", "t", "--json", check=3).thread)
    assert [] == forked.run("recover", "--dry-run", "--json", check=0).data["threads"]
    forked.run("answer", "t", "7", check=0)


@pytest.mark.parametrize(
    ("answer", "out", "times"),
    [
        ("done", None, 1),
        ("not done", "receipt", 2),
        ('{"done": true, "result": "R-7"}', "R-7", 1),
        ('{"done": false}', "receipt", 2),
    ],
)
def test_a_person_resolves_a_doubt(
    forked: Forked, effects: Path, answer: str, out: Any, times: int
) -> None:
    """What is said to be done is recorded so; what is not is done, with the same key."""
    env = {"DIE": "charged"}
    forked.run("start", f"{ASKING}:doubt", "-t", "t", env=env)
    asked = forked.run("resume", "t", "--json", env=env, check=3).thread["waiting_for"][0]
    assert lines(effects)[0].removeprefix("charge:") in asked["prompt"]
    forked.run("answer", "t", "perhaps", check=65)
    done = forked.run("answer", "t", answer, "--json", env=env, check=0)
    assert [out] == done.thread["state"]["out"]
    assert lines(effects)[:1] * times == lines(effects)
