"""Questions of steps: asked, waited with, answered, expired.

LangGraph's ``interrupt()`` takes its answers from a list that its loop keeps for each task;
here that list comes from durajob's own book, so that answers outlive whatever becomes of
LangGraph's. A step whose question is open is not run again until that is answered.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt, is_invalid_resume
from langgraph.types import Interrupt

from durajob import clock
from durajob.errors import ApprovalExpired, StepFault
from durajob.steps.context import Unanswered
from durajob.steps.fitting import check_schema, misfit
from durajob.store.ledger import Place
from durajob.store.questions import Question, QuestionBook

_SCRATCHPAD = "__pregel_scratchpad"
_NS = "checkpoint_ns"


class Questions:
    """The questions of a thread, while it is driven."""

    def __init__(self, book: QuestionBook, thread: str) -> None:
        self.open: list[Question] = []  # what the thread waits for once nothing else can run
        self._book = book
        self._thread = thread

    def waits(self, place: Place) -> bool:
        """Whether the step at this place need not be run: its question is still open."""
        question = self._book.open_at(place)
        return question is not None and not _has_expired(question)

    def leave(self, place: Place) -> GraphInterrupt:
        """What takes LangGraph out of a step that waits."""
        question = self._book.open_at(place)
        assert question is not None, "it waits"
        self.open.append(question)
        return GraphInterrupt((Interrupt(value=question.prompt, id=question.id),))

    def call(
        self,
        place: Place,
        function: Callable[[Any, RunnableConfig], Any],
        state: Any,
        config: RunnableConfig,
    ) -> Any:
        """Call a step, with the answers to its interrupts.

        Raises:
            Unanswered: when it asks what nobody has answered.
        """
        answers = self._answers(place)
        if answers:
            config["configurable"][_SCRATCHPAD].resume[:] = answers
        try:
            return function(state, config)
        except GraphInterrupt as interrupt:
            if not interrupt.args[0]:
                raise
            self._interrupted(place, config, interrupt.args[0][0], len(answers))
            raise Unanswered() from interrupt
        except Exception as error:
            if answers and is_invalid_resume(error):
                # Its type refuses what its schema let through: somebody must answer anew.
                self._book.reopen(place, f"interrupt:{len(answers) - 1}")
            raise

    def ask(
        self,
        place: Place,
        name: str,
        prompt: Any,
        *,
        schema: dict[str, Any] | None = None,
        expires: float | None = None,
        on_expiry: dict[str, Any] | None = None,
    ) -> Any:
        """The answer to a question.

        Raises:
            Unanswered: when there is none yet; it is asked by now.
            ApprovalExpired: when there was none in time.
            StepFault: when the schema is none, or what comes at expiry does not fit it.
        """
        for again in itertools.count(1):
            asked = name if again == 1 else f"{name}:{again}"
            question = self._book.find(place, asked)
            if question is None:
                break
            if question.status == "open" and _has_expired(question):
                question = self._book.expire(question)
                if question.status == "expired":
                    raise ApprovalExpired(
                        f"nobody has answered in time: {_short(question.prompt)}; "
                        "when resumed, the step asks anew"
                    )
            if question.status == "answered":
                return question.answer
            if question.status == "open":
                raise Unanswered()
        self._check(place, schema, on_expiry)
        self._book.ask(
            place,
            Question(
                id=self._id(place, asked),
                place=place.key,
                name=asked,
                step=place.step,
                prompt=prompt,
                schema=schema,
                expires_at=None if expires is None else clock.now() + round(expires * 1_000_000),
                on_expiry=on_expiry,
                status="open",
            ),
        )
        raise Unanswered()

    def answered_meanwhile(self) -> bool:
        """Whether the thread, about to wait, need not: then run its graph on."""
        if not self.open:
            return False
        self._book.load()
        if all(self._book.is_open(one) and not _has_expired(one) for one in self.open):
            return False
        self.open.clear()
        return True

    def as_waiting(self) -> str:
        """What the thread waits for, as its row keeps it: JSON of a list of ``Waiting``."""
        return json.dumps(
            [
                {
                    "id": one.id,
                    "step": one.step,
                    "prompt": one.prompt,
                    "schema": one.schema,
                    "expires_at": one.expires_at,
                }
                for one in self.open
            ]
        )

    def next_expiry(self) -> int | None:
        """When the first of the open questions expires."""
        return min(
            (one.expires_at for one in self.open if one.expires_at is not None), default=None
        )

    def _answers(self, place: Place) -> list[Any]:
        """What was answered to the interrupts of a step, in their order."""
        answers: list[Any] = []
        while (found := self._book.find(place, f"interrupt:{len(answers)}")) is not None:
            if found.status != "answered":
                break
            answers.append(found.answer)
        return answers

    def _interrupted(
        self, place: Place, config: RunnableConfig, interrupt: Interrupt[Any], answered: int
    ) -> None:
        ns = config["configurable"][_NS]
        own = {Interrupt.from_ns(None, ns).id, Interrupt.from_ns(None, f"{ns}|{answered}").id}
        if interrupt.id not in own:
            raise StepFault(
                f"a graph that step {place.step} calls by itself asks {_short(interrupt.value)}: "
                "the answer would not reach it. Make that graph a step (add_node), or ask in the "
                "step itself"
            )
        schema: Any = getattr(interrupt, "response_schema", None)
        try:
            prompt = json.loads(json.dumps(interrupt.value, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            prompt = repr(interrupt.value)
        self.ask(place, f"interrupt:{answered}", prompt, schema=schema)

    def _check(
        self, place: Place, schema: dict[str, Any] | None, on_expiry: dict[str, Any] | None
    ) -> None:
        if schema is None:
            return
        try:
            check_schema(schema)
        except ValueError as error:
            raise StepFault(
                f"step {place.step} asks with a schema that is none: {error}"
            ) from error
        wrong = None if on_expiry is None else misfit(schema, on_expiry["answer"])
        if wrong is not None:
            raise StepFault(f"step {place.step}: the answer in on_expiry does not fit: {wrong}")

    def _id(self, place: Place, name: str) -> str:
        text = f"{self._thread}\0{place.key}\0{name}"
        return hashlib.sha256(text.encode()).hexdigest()[:10]


def _has_expired(question: Question) -> bool:
    return question.expires_at is not None and clock.now() >= question.expires_at


def _short(prompt: Any) -> str:
    text = prompt if isinstance(prompt, str) else json.dumps(prompt, default=repr)
    return f"{text[:200]}…" if len(text) > 200 else text
