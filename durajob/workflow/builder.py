"""``Workflow``: what a user declares, checked as far as it goes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

from durajob.errors import ConfigError
from durajob.model import is_thread_id
from durajob.policies import StepPolicy
from durajob.workflow.compensation import Compensate, CompensationFunction, parse_compensation
from durajob.workflow.declared import (
    BEFORE,
    Before,
    Choice,
    Declared,
    Included,
    Mapped,
    StepFunction,
    StepRef,
)
from durajob.workflow.nesting import check_included, name_of, policies_of
from durajob.workflow.options import Limit, Lock, Timeout, parse_policy
from durajob.workflow.retry import Retry

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

S = TypeVar("S")
F = TypeVar("F", bound=StepFunction)

NAME_RULE = "a step's name is letters, digits, _ - and . of ASCII, up to 100, no digit first"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


class Workflow(Generic[S]):
    """A workflow, declared step by step.

    A step follows the one that was declared before it, unless it says ``after``. Declaring
    changes nothing about a function: it stays a plain function, to be called and tested alone.

    Args:
        name: what ``durajob start`` calls it; obeys the rule for thread ids.
        state_schema: a TypedDict, dataclass or Pydantic model, as for a LangGraph StateGraph.
        description: one line for ``durajob workflows``.

    Raises:
        ConfigError: here and in every method, when a declaration makes no sense.
    """

    def __init__(self, name: str, state_schema: type[S], *, description: str = "") -> None:
        if not isinstance(name, str) or not is_thread_id(name) or len(name) > 100:
            raise ConfigError(
                f"{name!r} cannot name a workflow: letters, digits and . _ : @ + = - of ASCII, "
                "beginning with a letter or digit, up to 100"
            )
        if not isinstance(state_schema, type):
            raise ConfigError(
                f"workflow {name!r}: the state schema is {state_schema!r}, not a class",
                hint="give a TypedDict, a dataclass or a Pydantic model",
            )
        self.name: Final = name
        self.state_schema: Final = state_schema
        self.description: Final = description
        self._steps: dict[str, Declared] = {}
        self._choices: list[Choice] = []

    def __repr__(self) -> str:
        return f"Workflow({self.name!r}, steps={list(self._steps)})"

    @overload
    def step(self, function: F, /) -> F: ...

    @overload
    def step(
        self,
        function: None = None,
        /,
        *,
        after: StepRef | Sequence[StepRef] | Before | None = ...,
        after_any: Sequence[StepRef] = ...,
        name: str | None = ...,
        retry: Retry | None = ...,
        max_crashes: int | None = ...,
        lock: str | Lock | None = ...,
        delay: str | float | None = ...,
        compensate: CompensationFunction | Compensate | None = ...,
        timeout: Timeout | None = ...,
        idle_timeout: Limit | None = ...,
        isolate: bool | None = ...,
    ) -> Callable[[F], F]: ...

    def step(
        self,
        function: F | None = None,
        /,
        *,
        after: StepRef | Sequence[StepRef] | Before | None = BEFORE,
        after_any: Sequence[StepRef] = (),
        name: str | None = None,
        retry: Retry | None = None,
        max_crashes: int | None = None,
        lock: str | Lock | None = None,
        delay: str | float | None = None,
        compensate: CompensationFunction | Compensate | None = None,
        timeout: Timeout | None = None,
        idle_timeout: Limit | None = None,
        isolate: bool | None = None,
    ) -> F | Callable[[F], F]:
        """Declare a step; used bare (``@wf.step``) or with options (``@wf.step(after=a)``).

        Args:
            after: the step that must have finished first; of several, all of them; None for
                a step that is there from the start. Unless said: the step declared before,
                or for a step that an earlier one branches to, that branch alone.
            after_any: run when any one of these has finished: where branches meet again.
            name: unless said, the function's name.
            retry: when and how to try again; see ``Retry``.
            max_crashes: how often in a row it may kill its process, from 1; then the thread
                fails. Unless said, what workflows.toml says.
            lock: a lock that each attempt holds, by its name; with a limit or a longest wait,
                see ``Lock``. It is taken before the attempt begins.
            delay: a duration ("10m") or seconds between when the step is due and when it begins.
            compensate: what undoes the step when the thread fails for good later, or is
                cancelled: a function of the state that the step was given and of what it
                returned; or ``{"run": function, "retry": {...}}``.
            timeout: how long one attempt may take ("30s", or seconds), or a function that
                tells the seconds from the state. A blocking step then runs in a process of
                its own, which is killed; a coroutine is cancelled.
            idle_timeout: how long an attempt may go without ``heartbeat()`` or ``progress()``.
            isolate: run the step in a process of its own, whether or not it has a limit.
        """
        policies = {
            "retry": retry,
            "max_crashes": max_crashes,
            "lock": lock,
            "delay": delay,
            "compensate": compensate,
            "timeout": timeout,
            "idle_timeout": idle_timeout,
            "isolate": isolate,
        }

        def declare(function: F) -> F:
            return self._declare(function, name, after, after_any, policies, None)

        if function is None:
            return declare
        return declare(function)

    def map(
        self,
        *,
        over: str,
        collect: str | None = None,
        share: Sequence[str] = (),
        after: StepRef | Before | None = BEFORE,
        name: str | None = None,
        retry: Retry | None = None,
        max_crashes: int | None = None,
        lock: str | Lock | None = None,
        delay: str | float | None = None,
        compensate: CompensationFunction | Compensate | None = None,
        timeout: Timeout | None = None,
        idle_timeout: Limit | None = None,
        isolate: bool | None = None,
    ) -> Callable[[F], F]:
        """Declare a fan-out: one branch for each item of the list ``state[over]``.

        The function takes one item. Each branch finishes, and is saved, by itself. What comes
        next runs when all have finished; when the list is empty, at once.

        Args:
            over: the key of the list in the state.
            collect: the key that the functions' results are added to, in the order of the
                items; a step that returns None for this key empties it. Without ``collect``
                the function returns changes of the state, as a step does.
            share: keys of the state that every branch is handed as a dict, the function's
                second argument. They are stored with each branch: share small values.
            after: one step, or None for a fan-out over the input.
            name: unless said, the function's name.
            retry: when and how to try a branch again; see ``Retry``.
            max_crashes: as for a step; each branch is counted by itself.
            lock: a lock that each attempt of a branch holds, as of a step.
            delay: how long after it is due each branch begins, as of a step.
            compensate: what undoes a branch that finished: called like the function of the
                map, with what that returned as one more argument at the end.
            timeout: as for a step, of each branch; a function is given what the branch is sent.
            idle_timeout: as for a step, of each branch.
            isolate: as for a step.
        """
        if not isinstance(after, (str, Before)) and isinstance(after, Sequence):
            raise ConfigError(
                f"workflow {self.name!r}: a map follows one step, not several",
                hint="join them in a step of its own and map after that",
            )
        mapped = Mapped(over=over, collect=collect, share=tuple(share))
        policies = {
            "retry": retry,
            "max_crashes": max_crashes,
            "lock": lock,
            "delay": delay,
            "compensate": compensate,
            "timeout": timeout,
            "idle_timeout": idle_timeout,
            "isolate": isolate,
        }

        def declare(function: F) -> F:
            return self._declare(function, name, after, (), policies, mapped)

        return declare

    def include(
        self,
        other: Included,
        /,
        *,
        name: str | None = None,
        after: StepRef | Sequence[StepRef] | Before | None = BEFORE,
        after_any: Sequence[StepRef] = (),
    ) -> None:
        """Declare a step that is a workflow or a LangGraph graph: its steps are durable each.

        It is handed the keys of the state that both have, and those come back. The policies
        of its steps hold as they are; the step has none as a whole.

        Args:
            other: a Workflow, or a StateGraph, compiled or not.
            name: unless said, the workflow's name; a graph needs one.
            after: as for a step; ``other`` itself may then be named in ``after`` of others.
            after_any: as for a step.
        """
        check_included(other, self)
        name = name_of(other, self) if name is None else name
        self._add(other, name, after, after_any, StepPolicy(), included=True)

    def branch(
        self,
        *,
        after: StepRef,
        choose: Callable[[S], Hashable],
        to: Mapping[Any, StepRef | None],
    ) -> None:
        """After the step ``after``, go to the one step that ``choose`` picks.

        Args:
            after: the step after which to choose.
            choose: takes the state, returns one of the keys of ``to``.
            to: the steps to go to; None for the end.
        """
        if not callable(choose) or not isinstance(to, Mapping) or not to:
            raise ConfigError(
                f"workflow {self.name!r}: a branch needs a function and a dict of steps",
                hint="branch(after=check, choose=lambda state: state['ok'], "
                "to={True: ship, False: None})",
            )
        self._choices.append(Choice(after=after, choose=choose, to=dict(to)))

    @property
    def policies(self) -> Mapping[str, StepPolicy]:
        """The policy of each step that has one, by its name; inside another, ``outer/inner``."""
        policies: dict[str, StepPolicy] = {}
        for step in self._steps.values():
            if step.policy != StepPolicy():
                policies[step.name] = step.policy
            if step.included:
                policies |= policies_of(step.name, step.function)
        return MappingProxyType(policies)

    def graph(self) -> StateGraph[Any]:
        """A new plain LangGraph builder of this workflow; the policies are not in it.

        Raises:
            ConfigError: when the steps do not make a graph: none at all, an ``after`` that
                names no step, a cycle, a step that can never run.
        """
        from durajob.workflow.compiling import compile_graph

        return compile_graph(self.name, self.state_schema, self._steps, self._choices)

    def _declare(
        self,
        function: F,
        name: str | None,
        after: StepRef | Sequence[StepRef] | Before | None,
        after_any: Sequence[StepRef],
        policies: Mapping[str, Any],
        mapped: Mapped | None,
    ) -> F:
        if not callable(function):
            raise ConfigError(
                f"workflow {self.name!r}: {function!r} is no function",
                hint="write @wf.step above a function, or @wf.step(after=...); "
                "a workflow or a graph becomes a step by wf.include(...)",
            )
        name = str(name or getattr(function, "__name__", ""))
        where = f"workflow {self.name!r}, step {name!r}"
        if mapped is not None:
            _check_arity(function, 2 if mapped.share else 1, where)
        compensate, compensation = policies["compensate"], None
        if compensate is not None:
            arguments = 2 if mapped is not None and mapped.share else 1
            compensation = parse_compensation(compensate, arguments=arguments, where=where)
            if mapped is not None:
                compensation = compensation._replace(run=_of_branch(compensation.run, mapped))
        policy = parse_policy(policies, where=where)._replace(compensate=compensation)
        self._add(function, name, after, after_any, policy, mapped)
        return function

    def _add(
        self,
        function: Any,
        name: str,
        after: StepRef | Sequence[StepRef] | Before | None,
        after_any: Sequence[StepRef],
        policy: StepPolicy,
        mapped: Mapped | None = None,
        *,
        included: bool = False,
    ) -> None:
        where = f"workflow {self.name!r}, step {name!r}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(f"{where}: {NAME_RULE}", hint="give it one: name=...")
        if name in self._steps:
            raise ConfigError(
                f"workflow {self.name!r} has two steps {name!r}",
                hint="give one of them another name: name=...",
            )
        if isinstance(after_any, str) or not isinstance(after_any, Sequence):
            raise ConfigError(f"{where}: after_any is {after_any!r}, not a list of steps")
        self._steps[name] = Declared(
            name=name,
            function=function,
            after=None if after_any and isinstance(after, Before) else after,
            after_any=tuple(after_any),
            previous=next(reversed(self._steps), None),
            policy=policy,
            mapped=mapped,
            included=included,
        )


def _of_branch(run: Any, mapped: Mapped) -> Callable[[Any, Any], Any]:
    """The compensation of a map's branch, called with what its node was sent and returned."""

    def compensate(sent: Mapping[str, Any], result: Any) -> Any:
        if not sent:  # the one branch of an empty list, which did nothing
            return None
        shared = (sent["share"],) if mapped.share else ()
        own = result if mapped.collect is None else result[mapped.collect][0]
        return run(sent["item"], *shared, own)

    return compensate


def _check_arity(function: StepFunction, count: int, where: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins do not tell theirs
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        takes = "an item and the shared values" if count == 2 else "one item"
        raise ConfigError(
            f"{where}: the function of a map takes {takes}, not {signature}",
            hint="name what every branch needs in share=[...]",
        ) from error
