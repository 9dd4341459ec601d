"""The effects of one attempt: what is known of each, and what to do where that is a doubt."""

from __future__ import annotations

import threading
from typing import Any

from durajob.engine.questions import Questions
from durajob.engine.values import to_store
from durajob.errors import EffectInDoubt
from durajob.store.effects import Effect, EffectBook
from durajob.store.ledger import Attempt


class Effects:
    """What ``durajob.steps.once`` asks of the engine; its callers see to it that at most one
    thread of the attempt is busy with a name."""

    def __init__(
        self, book: EffectBook, questions: Questions, attempt: Attempt, serde: Any
    ) -> None:
        self._book = book
        self._questions = questions
        self._attempt = attempt
        self._serde = serde
        self._known: dict[str, Effect] | None = None  # read when it is first needed
        self._mutex = threading.Lock()

    def key(self, name: str) -> str:
        """The idempotency key of an effect."""
        known = self._find(name)
        return self._book.new_key(self._attempt.place, name) if known is None else known.key

    def begin(self, name: str, in_doubt: str) -> tuple[bool, str, Any]:
        """Whether it is done already, its key, and its result if so. If not, it is noted, on
        disk, that it begins.

        Raises:
            EffectInDoubt: when it was begun before and that is not to be tried again.
            Unanswered: when a person must say first whether it was done.
        """
        known = self._find(name)
        if known is not None and known.status == "done":
            return True, known.key, self._serde.loads_typed((known.kind, known.value))
        key = self.key(name)
        if known is not None and known.status == "begun":
            doubt = (
                f"Whether the effect {name!r} of step {self._attempt.place.step} was done is not "
                f"known: it was begun at attempt {known.attempt} with the key {key}, and nothing "
                "says how that ended"
            )
            if in_doubt == "fail":
                raise EffectInDoubt(
                    f"{doubt}. Find out by the key; then have the step say "
                    'in_doubt="ask" or "retry", and resume'
                )
            if in_doubt == "ask" and (told := self._ask(known, doubt)) is not None:
                return True, key, self.finish(name, told["result"])
        self._keep(self._book.begin(self._attempt, name, key))
        return False, key, None

    def finish(self, name: str, result: Any) -> Any:
        """Record the result; gives what came back from the store."""
        step = self._attempt.place.step
        stored = to_store(
            self._serde,
            f"the effect {name!r} of step {step}",
            result,
            so="; the effect was done, but stays in doubt",
        )
        known = self._find(name)
        assert known is not None, "it was begun"
        self._keep(self._book.finish(self._attempt.place, known, *stored))
        return self._serde.loads_typed(stored)

    def fail(self, name: str) -> None:
        """The effect has said that it was not done."""
        known = self._find(name)
        assert known is not None, "it was begun"
        self._keep(self._book.fail(self._attempt.place, known))

    def _ask(self, effect: Effect, doubt: str) -> dict[str, Any] | None:
        """The result that a person says it had, under ``result``; None when it was not done."""
        answer = self._questions.ask(
            self._attempt.place,
            f"once:{effect.times}:{effect.name}",
            f"{doubt}. Was it done?",
            schema=_DOUBT,
        )
        if answer == "done":
            return {"result": None}
        if answer == "not done" or not answer["done"]:
            return None
        return {"result": answer.get("result")}

    def _find(self, name: str) -> Effect | None:
        with self._mutex:
            if self._known is None:
                self._known = self._book.of(self._attempt.place)
            return self._known.get(name)

    def _keep(self, effect: Effect) -> None:
        assert self._known is not None, "it was looked for"
        self._known[effect.name] = effect


_DOUBT = {
    "anyOf": [
        {"enum": ["done", "not done"]},
        {
            "type": "object",
            "properties": {"done": {"type": "boolean"}, "result": {}},
            "required": ["done"],
            "additionalProperties": False,
        },
    ]
}
"""What may be said of an effect in doubt; ``result`` is what ``once`` is to return."""
