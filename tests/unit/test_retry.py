"""What is tried again, and when: the policy alone, without a store."""

from __future__ import annotations

from subprocess import CalledProcessError

import pytest

from durajob.policies import RetryPolicy
from durajob.steps.retry import exit_code, is_retried, plan


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CalledProcessError(5, "x"), 5),
        (CalledProcessError(-9, "x"), 137),
        (SystemExit(3), 3),
        (SystemExit(), 0),
        (SystemExit("a message"), 1),
        (OSError(5, "x"), None),
    ],
)
def test_exit_codes_are_a_shells(error: BaseException, code: int | None) -> None:
    """A program's, that of a signal, that of sys.exit(); other errors have none."""
    assert code == exit_code(error)
    assert (code == 5) == is_retried(RetryPolicy(on_exit=(5, 6)), error)


def test_a_predicate_decides_and_may_fail() -> None:
    """Its answer counts; one that raises says no, and the error tells so."""
    policy = RetryPolicy(on=(lambda error: "later" in str(error),))
    assert [True, False] == [is_retried(policy, OSError(text)) for text in ("later", "never")]
    error = OSError("x")
    assert not is_retried(RetryPolicy(on=(lambda error: len(str(error)) / 0,)), error)
    assert error.__notes__[0].startswith("not retried: predicate ")
    assert "ZeroDivisionError" in error.__notes__[0]


def test_no_attempt_begins_after_the_total() -> None:
    """What counts is when it would begin."""
    policy = RetryPolicy(on=(OSError,), wait=2, jitter=False, total=10, attempts=9)
    assert [2.0, 2.0, None] == [plan(policy, OSError(), 1, since) for since in (0, 8, 8.1)]
