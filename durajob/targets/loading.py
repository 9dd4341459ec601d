"""A definition made a graph: what its target holds, with the policies that belong to it."""

from __future__ import annotations

import builtins
import inspect
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from durajob.config.names import nearest
from durajob.config.target import Target, parse_target
from durajob.errors import ConfigError, TargetError
from durajob.policies import RetryPolicy, StepPolicy
from durajob.record import Record
from durajob.registry import Definition
from durajob.targets.imports import contained, import_target, users
from durajob.targets.nested import every_step, key_of
from durajob.workflow.compensation import check_arguments

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

_GRAPHS = "a StateGraph, compiled or not, a durajob Workflow, or a function that returns one"


class Loaded(Record):
    """A workflow that can run: ``builder`` is plain LangGraph, ``policies`` are by step name."""

    builder: StateGraph[Any]
    policies: Mapping[str, StepPolicy]
    name: str


def load(definition: Definition) -> Loaded:
    """Import what the definition's target names. Takes a second or more: LangGraph is imported.

    Raises:
        TargetError: when it cannot be imported, or is no graph that durajob can drive.
        ConfigError: when a policy names a step or an exception that does not exist.
    """
    # Read once, when LangGraph is imported: values in the store build no objects of any class.
    os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
    if definition.commands:
        return _load_commands(definition)
    try:
        target = parse_target(definition.target)
    except ValueError as error:
        raise TargetError(f"{definition.name}: {error}") from error
    if definition.base is not None:
        target = target.within(definition.base)
    with contained():
        import langgraph.graph  # noqa: F401 — before users' folders are on the path

        builder, own = _graph(target, import_target(target, definition.base))
        _check_edges(target, builder)
        policies = _overlaid(definition, builder, own)
        resolved = {step: _resolved(definition, step, policy) for step, policy in policies.items()}
    return Loaded(builder=builder, policies=resolved, name=definition.name)


def _load_commands(definition: Definition) -> Loaded:
    from durajob.workflow.shell import compensation_of, shell_graph

    policies = dict(definition.policies)
    for step in definition.commands:
        if step.approval is not None and step.approval.schema is not None:
            where = f"workflows.{definition.name}.steps.{step.name}.approval.schema"
            _check_schema(step.approval.schema, where)
        if (compensate := policies[step.name].compensate) is not None:
            compensate = compensate._replace(run=compensation_of(step))
            policies[step.name] = policies[step.name]._replace(compensate=compensate)
    builder = shell_graph(definition.commands)
    return Loaded(builder=builder, policies=policies, name=definition.name)


def _check_schema(schema: Mapping[str, Any], where: str) -> None:
    from durajob.steps.fitting import check_schema

    try:
        check_schema(schema)
    except ValueError as error:
        raise ConfigError(
            f"{where}: is no JSON Schema: {error}",
            hint='for example schema = { enum = ["yes", "no"] }',
        ) from error


def _graph(
    target: Target, found: Any, *, returned: bool = False
) -> tuple[StateGraph[Any], Mapping[str, StepPolicy]]:
    from langgraph.graph import StateGraph
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.pregel import Pregel

    from durajob.workflow import Workflow

    if isinstance(found, Workflow):
        return users(target, found.graph), found.policies
    if isinstance(found, StateGraph):
        return found, {}
    if isinstance(found, CompiledStateGraph):
        _refuse_what_would_be_lost(target, found)
        return found.builder, {}
    what = "what it returns" if returned else "it"
    if inspect.iscoroutine(found):
        found.close()  # or Python warns that nobody awaited it
        raise TargetError(
            f"{target}: it is an async function", hint="make it a plain function, or name a graph"
        )
    if isinstance(found, Pregel):
        raise TargetError(
            f"{target}: {what} is LangGraph's functional API (@entrypoint), whose tasks durajob "
            "cannot make durable",
            hint="make its tasks the steps of a StateGraph or a Workflow; or call it inside a step",
        )
    if returned or isinstance(found, type) or not callable(found):
        raise TargetError(
            f"{target}: {what} is no graph but {_kind(found)}", hint=f"a workflow is {_GRAPHS}"
        )
    _check_arguments(target, found)
    return _graph(target, users(target, found), returned=True)


def _kind(found: Any) -> str:
    if isinstance(found, type):
        return f"the class {found.__qualname__}"
    if type(found).__module__.startswith("langgraph."):
        return f"LangGraph's {type(found).__qualname__}"
    return f"of type {type(found).__qualname__}"


def _check_arguments(target: Target, function: Any) -> None:
    if inspect.iscoroutinefunction(function):
        raise TargetError(
            f"{target}: it is an async function", hint="make it a plain function, or name a graph"
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins do not tell theirs; calling it will
        return
    try:
        signature.bind()
    except TypeError as error:
        raise TargetError(
            f"{target}: the function needs arguments: {signature}",
            hint="name a function without, that returns the graph",
        ) from error


def _refuse_what_would_be_lost(target: Target, compiled: Any) -> None:
    """durajob compiles the builder itself: what only the compiled graph holds must not matter."""
    if compiled.interrupt_before_nodes or compiled.interrupt_after_nodes:
        raise TargetError(
            f"{target}: compiled with interrupt_before or interrupt_after, which look like a crash",
            hint="leave them out of compile() and call interrupt() inside the step",
        )
    if compiled.store is not None:
        raise TargetError(
            f"{target}: compiled with a store, which durajob would not hand to the steps",
            hint="leave it out of compile() and open it inside the steps",
        )


def _check_edges(target: Target, builder: StateGraph[Any]) -> None:
    compiled = builder.compiled
    try:
        builder.validate()
    except ValueError as error:
        raise TargetError(
            f"{target}: is no whole graph: {' '.join(str(error).split())}",
            hint="every edge must join steps that the graph has, and one must begin at START",
        ) from error
    finally:
        builder.compiled = compiled  # or LangGraph warns when a step is added or wrapped


def _overlaid(
    definition: Definition, builder: StateGraph[Any], own: Mapping[str, StepPolicy]
) -> dict[str, StepPolicy]:
    """The workflow's own policies, and over them, field by field, those of workflows.toml."""
    policies = dict(own)
    names = [key_of(path) for path in every_step(builder)] if definition.policies else []
    for step, policy in definition.policies.items():
        if step not in names:
            near = nearest(step, names)
            raise ConfigError(
                f"{definition.source}: workflows.{definition.name}.steps.{step}: "
                f"the workflow has no step {step!r}",
                hint=f"did you mean {near!r}?" if near else f"it has {', '.join(names)}",
            )
        said = {
            name: value
            for name in StepPolicy._fields
            if (value := getattr(policy, name)) is not None
        }
        policies[step] = policies.get(step, StepPolicy())._replace(**said)
    return policies


def _resolved(definition: Definition, step: str, policy: StepPolicy) -> StepPolicy:
    compensate = policy.compensate
    if compensate is not None:
        compensate = compensate._replace(
            run=_compensation(definition, step, compensate.run),
            retry=_retried(definition, step, compensate.retry),
        )
    return policy._replace(retry=_retried(definition, step, policy.retry), compensate=compensate)


def _retried(definition: Definition, step: str, retry: RetryPolicy | None) -> RetryPolicy | None:
    if retry is None:
        return None
    on = tuple(
        _exception(definition, step, name) if isinstance(name, str) else name for name in retry.on
    )
    return retry._replace(on=on)


def _compensation(
    definition: Definition, step: str, run: Callable[[Any, Any], Any] | str
) -> Callable[[Any, Any], Any]:
    """The function that undoes a step, where workflows.toml names it."""
    if not isinstance(run, str):
        return run
    where = f"workflow {definition.name!r}, step {step!r}: compensate {run!r}"
    target = parse_target(run)
    if definition.base is not None:
        target = target.within(definition.base)
    try:
        found = import_target(target, definition.base)
    except TargetError as error:
        raise ConfigError(
            f"{where} does not load: {error}", hint="name a function of (state, result)"
        ) from error
    if isinstance(found, type) or not callable(found):
        raise ConfigError(f"{where} is no function", hint="name a function of (state, result)")
    check_arguments(found, 2, "(state, result)", where)
    function: Callable[[Any, Any], Any] = found
    return function


def _exception(
    definition: Definition, step: str, name: str
) -> type[BaseException] | Callable[[BaseException], object]:
    if ":" in name:
        try:
            found = import_target(parse_target(name), definition.base)
        except (TargetError, ValueError) as error:
            raise _no_exception(definition, step, name, f"does not load: {error}") from error
    else:
        found = getattr(builtins, name, None)
    # A KeyboardInterrupt or SystemExit means stop, whatever a policy says.
    if isinstance(found, type) and issubclass(found, Exception):
        return found
    if ":" in name and callable(found) and not isinstance(found, type):
        return found  # type: ignore[no-any-return] # a predicate; what it takes is its business
    near = None if ":" in name else nearest(name, _BUILTIN_EXCEPTIONS)
    hint = f"did you mean {near!r}?" if near else None
    raise _no_exception(definition, step, name, "is no exception class", hint)


_BUILTIN_EXCEPTIONS = [
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception)
]


def _no_exception(
    definition: Definition, step: str, name: str, problem: str, hint: str | None = None
) -> ConfigError:
    return ConfigError(
        f"workflow {definition.name!r}, step {step!r}: retry on {name!r} {problem}",
        hint=hint or 'the name of a builtin exception, or "module:Class"',
    )
