"""The built-in workflows under LangGraph alone: each succeeds and fails on demand."""

from __future__ import annotations

import json
import os
import threading
from contextvars import Context
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from durajob import LockTimeout, lock
from durajob.examples import durable, idempotent, locked, retry, saga, timeout
from tests.forked import Forked


def run(module: Any, **input: Any) -> Any:
    """The state at the end of the module's workflow."""
    return module.workflow.graph().compile().invoke(input)


def test_durable_runs_three_tasks() -> None:
    """A, B and C in a row, with progress 33, 66 and 100."""
    progress = [
        update[name]["progress"]
        for update in durable.workflow.graph()
        .compile()
        .stream({"seconds": "0"}, stream_mode="updates")
        for name in update
    ]
    assert [33, 66, 100] == progress
    assert ["A", "B", "C"] == run(durable, seconds=0)["log"]


def test_durable_fails_on_demand_until_a_file_exists(tmp_path: Path) -> None:
    """``fail_at`` fails that task; ``until`` lets a person put it right."""
    marker = tmp_path / "fixed"
    asked = {"seconds": 0, "fail_at": "B", "until": str(marker)}
    with pytest.raises(RuntimeError, match=r"failing here.*until the file .*fixed exists"):
        run(durable, **asked)
    marker.touch()
    assert ["A", "B", "C"] == run(durable, **asked)["log"]


@pytest.mark.parametrize(
    "asked", [{"fail_at": "D"}, {"seconds": "soon"}, {"seconds": -1}, {"seconds": True}]
)
def test_durable_refuses_input_that_makes_no_sense(asked: dict[str, Any]) -> None:
    """The input is named."""
    with pytest.raises(ValueError, match=f"input '{next(iter(asked))}' is"):
        run(durable, **{"seconds": 0, **asked})


def test_retry_succeeds_or_fails_by_its_failure_rate() -> None:
    """0 never fails, 1 always does, with the service's own error."""
    assert "42" == run(retry, failure_rate="0")["answer"]
    with pytest.raises(ConnectionError, match="did not answer"):
        run(retry, failure_rate=1)


def test_retry_backs_off_exponentially_on_that_error_alone() -> None:
    """The policy is on the step that calls, and names ConnectionError."""
    policy = retry.workflow.policies["call"].retry
    assert policy is not None
    assert ((ConnectionError,), 2.0, 5) == (policy.on, policy.factor, policy.attempts)


def test_retry_fails_in_the_same_order_for_a_seed() -> None:
    """Some calls fail and some do not, the same ones each time."""

    def outcomes() -> list[bool]:
        retry._generator.cache_clear()
        results = []
        for _ in range(12):
            try:
                retry.call({"failure_rate": 0.5, "seed": "a"})
                results.append(True)
            except ConnectionError:
                results.append(False)
        return results

    first = outcomes()
    assert {True, False} == set(first)
    assert first == outcomes()


def test_a_request_is_entered_once_however_often_it_is_sent(tmp_path: Path) -> None:
    """The receipt is the same, and the file has one line a request."""
    ledger = tmp_path / "ledger"
    receipts = [
        run(idempotent, request_id=request, ledger=str(ledger))["receipt"]
        for request in ("a", "b", "a", "a", "c", "b")
    ]
    assert [1, 2, 1, 1, 3, 2] == receipts
    assert ["a", "b", "c"] == [
        json.loads(line)["request_id"] for line in ledger.read_text().splitlines()
    ]


def test_a_request_whose_step_died_after_its_effect_is_not_entered_again(tmp_path: Path) -> None:
    """``fail`` fails after the effect; sent again, the request finds its line."""
    ledger = tmp_path / "ledger"
    with pytest.raises(RuntimeError, match="failing here"):
        run(idempotent, request_id="a", ledger=str(ledger), fail="true")
    assert 1 == run(idempotent, request_id="a", ledger=str(ledger))["receipt"]
    assert 1 == len(ledger.read_text().splitlines())


def test_a_line_torn_by_a_crash_is_not_a_request(tmp_path: Path) -> None:
    """Half a line is cut off before the next is written."""
    ledger = tmp_path / "ledger"
    ledger.write_bytes(b'{"request_id": "a"}\n{"requ')
    assert 2 == run(idempotent, request_id="b", ledger=str(ledger))["receipt"]
    assert b'{"request_id": "a"}\n{"request_id": "b"}\n' == ledger.read_bytes()


def test_requests_sent_at_once_get_a_line_each(tmp_path: Path) -> None:
    """Looking and adding are one, also for writers side by side."""
    ledger = str(tmp_path / "ledger")
    threads = [
        threading.Thread(target=idempotent.enter_once, args=(ledger, str(number % 5)))
        for number in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 5 == len(Path(ledger).read_text().splitlines())


def test_a_missing_request_id_is_refused() -> None:
    """Without it there is nothing to be idempotent about."""
    with pytest.raises(ValueError, match="'request_id' is missing"):
        run(idempotent)


def test_work_within_its_limit_is_done() -> None:
    """The limit is not a delay."""
    assert "done" == run(timeout, seconds=0, limit=30)["log"][-1]


def test_work_that_outlives_its_limit_is_killed(forked: Forked) -> None:
    """The error names the limit, and comes long before the work would have ended."""
    done = forked.run("start", "timeout", "-i", "seconds=60", "-i", "limit=0.2", "--json", check=1)
    error = done.thread["error"]
    assert ("work", "StepTimeout") == (error["step"], error["type"])
    assert "took longer than its timeout of 200ms; its process was killed" == error["message"]
    assert "timed_out" == done.thread["steps"][0]["status"]


def test_locked_parts_of_several_threads_never_overlap(tmp_path: Path) -> None:
    """In the record, each enter is followed by the same thread's leave."""
    record = tmp_path / "record"
    asked = {"lock": str(tmp_path / "lock"), "record": str(record), "seconds": 0.05}
    threads = [
        threading.Thread(target=run, args=(locked,), kwargs={**asked, "label": str(number)})
        for number in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert ["enter", "leave"] * 5 == [line["event"] for line in lines]
    assert [line["label"] for line in lines[::2]] == [line["label"] for line in lines[1::2]]
    assert all(one["at_ns"] <= other["at_ns"] for one, other in pairwise(lines))


def test_a_failure_inside_the_lock_opens_it(tmp_path: Path) -> None:
    """The next thread gets in at once."""
    asked = {"lock": str(tmp_path / "lock"), "seconds": 0, "patience": 0}
    with pytest.raises(RuntimeError, match="failing here"):
        run(locked, **asked, fail=True)
    assert "done" == run(locked, **asked)["log"][-1]


def test_a_lock_that_stays_closed_is_given_up(tmp_path: Path) -> None:
    """After ``patience`` the step fails, and names the lock."""
    with lock(str(tmp_path / "lock")), pytest.raises(LockTimeout, match=r"/lock' could not be had"):
        # As another thread would: in this context it would be asked for twice.
        Context().run(run, locked, lock=str(tmp_path / "lock"), patience=0.05)


def test_an_order_is_fulfilled(tmp_path: Path) -> None:
    """Nothing fails, all is done."""
    record = tmp_path / "record"
    state = run(saga, record=str(record), order=7)
    assert ["reserve", "charge", "ship"] == state["done"]
    assert ["7: reserve", "7: charge", "7: ship"] == record.read_text().splitlines()


@pytest.mark.parametrize("fail", saga.STEPS)
def test_an_order_fails_where_the_input_asks(tmp_path: Path, fail: str) -> None:
    """What was done before is recorded; durajob undoes it."""
    record = tmp_path / "record"
    record.touch()
    with pytest.raises(saga.OrderRefused, match=f"^{fail} was refused"):
        run(saga, fail=fail, record=str(record))
    done = saga.STEPS[: saga.STEPS.index(fail)]
    assert [f"1: {name}" for name in done] == record.read_text().splitlines()


def test_relative_paths_hold_wherever_a_later_process_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step fixes them."""
    assert str(tmp_path / "l") == idempotent.check({"request_id": "a", "ledger": "l"})["ledger"]
    assert str(tmp_path / "r") == saga.accept({"record": "r"})["record"]
    assert [str(tmp_path / name) for name in ("k", "r")] == list(
        locked.prepare({"lock": "k", "record": "r"}).values()
    )


def test_the_default_files_are_for_this_user_alone() -> None:
    """Two users of one machine do not meet in the folder for temporary files."""
    fixed = idempotent.check({"request_id": "a"})["ledger"]
    assert f"durajob-{os.getuid()}-requests.ledger" == os.path.basename(fixed)
