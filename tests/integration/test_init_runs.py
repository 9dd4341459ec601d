"""What init writes, run as its own text says: started, killed, resumed."""

from __future__ import annotations

from tests.harness import Durajob


def test_the_starter_survives_a_kill(durajob: Durajob) -> None:
    """init, start, kill -9 halfway, resume: nobody is greeted twice, and everybody is."""
    assert 0 == durajob.run("init").exit_status
    running = durajob.begin("start", "hello", "-t", "first")
    running.until_said("greet[0]: succeeded")
    running.kill()
    done = durajob.run("resume", "first", "--json", check=0)
    assert "completed" == done.thread["status"]
    attempts = {step["step"]: step["attempts"] for step in done.thread["steps"]}
    assert (1, 1) == (attempts["invite"], attempts["greet[0]"])
    people = ["Ada", "Barbara", "Edsger", "Frances", "Grace", "Ken", "Linus", "Margaret"]
    assert [f"Hello, {name}!" for name in people] == done.thread["state"]["greetings"]


def test_the_starter_takes_the_input_that_it_says(durajob: Durajob) -> None:
    """The line in its own text works as it stands."""
    durajob.run("init", check=0)
    done = durajob.run(
        "start", "hello", "-i", 'people:=["Ada", "Grace"]', "-i", "greeting=Hi", "--json", check=0
    )
    assert "Hi, Ada!\nHi, Grace!" == done.thread["state"]["letter"]


def test_a_bad_target_leaves_no_thread(durajob: Durajob) -> None:
    """A target that does not load is refused (78) before anything is written."""
    done = durajob.run("start", "./gone.py:graph", "--json")
    assert (78, "bad_target") == (done.exit_status, done.json["error"]["code"])
    assert [] == durajob.run("list", "--json", check=0).data["threads"]
