"""From declared steps to a plain LangGraph ``StateGraph``.

First every reference is looked up and the shape is checked, with nothing of LangGraph
loaded; then the graph is built. What LangGraph would run in silence (a join that waits for
ever, a step that nothing leads to) is refused here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast

from durajob.errors import ConfigError, StepFault, UnknownNextStep
from durajob.record import Record
from durajob.workflow.declared import Before, Choice, Declared, Mapped, StepFunction, StepRef
from durajob.workflow.nesting import compiled
from durajob.workflow.schema import schema_with_reducers, state_keys

if TYPE_CHECKING:
    from langgraph.graph import StateGraph


def compile_graph(
    name: str,
    state_schema: type[Any],
    steps: Mapping[str, Declared],
    choices: Sequence[Choice],
) -> StateGraph[Any]:
    """The builder for these declarations.

    Raises:
        ConfigError: when they do not make a graph.
    """
    shape = _Shape.of(f"workflow {name!r}", steps, choices)
    shape.check()
    _check_keys(shape.where, state_schema, steps)
    schema = schema_with_reducers(
        state_schema,
        {s.mapped.collect for s in steps.values() if s.mapped and s.mapped.collect},
        where=shape.where,
    )
    return _build(shape, schema, steps, state_keys(state_schema, where=shape.where))


class _Branch(Record):
    """A choice with its references looked up."""

    after: str
    choose: Callable[..., Hashable]
    to: Mapping[Hashable, str | None]


class _Shape(Record):
    """The graph as names alone. In ``before``, an empty list means that a step is a root;
    a list of several is a join. A step may have several such lists, each enough to run it."""

    where: str
    before: Mapping[str, Sequence[Sequence[str]]]
    branches: Sequence[_Branch]
    maps: frozenset[str]

    @classmethod
    def of(cls, where: str, steps: Mapping[str, Declared], choices: Sequence[Choice]) -> _Shape:
        find = _Finder(where, steps)
        branches = [
            _Branch(
                after=find(choice.after, f"{where}, a branch"),
                choose=choice.choose,
                to={
                    key: None if to is None else find(to, f"{where}, a branch")
                    for key, to in choice.to.items()
                },
            )
            for choice in choices
        ]
        # A branch that leads back makes a loop; the step is first reached as it was declared.
        order = {name: number for number, name in enumerate(steps)}
        chosen = {
            to
            for branch in branches
            for to in branch.to.values()
            if to is not None and order[to] > order[branch.after]
        }
        return cls(
            where=where,
            before={step.name: find.before(step, step.name in chosen) for step in steps.values()},
            branches=branches,
            maps=frozenset(step.name for step in steps.values() if step.mapped),
        )

    def check(self) -> None:
        if not self.before:
            raise ConfigError(
                f"{self.where} has no steps", hint="declare one with @wf.step above a function"
            )
        self._check_cycles()
        for name in sorted(self.before.keys() - self.reached()):
            raise ConfigError(
                f"{self.where}: nothing leads to the step {name!r}",
                hint="say after=... or name it in a branch that can be reached",
            )
        self._check_joins()
        self._check_after_maps()

    def followers(self, name: str) -> tuple[list[str], bool]:
        """The steps that ``name`` alone leads to, and whether it leads to a join as well."""
        single = [step for step, ways in self.before.items() if [name] in [list(w) for w in ways]]
        joins = any(len(way) > 1 and name in way for ways in self.before.values() for way in ways)
        return single, joins

    def reached(self, without: Mapping[int, Hashable] | None = None) -> set[str]:
        """The steps that can run; ``without`` holds the one key that a branch may choose."""
        reached = {name for name, ways in self.before.items() if [] in [list(w) for w in ways]}
        todo = list(reached)
        while todo:
            name = todo.pop()
            leads_to = {step for step, ways in self.before.items() for way in ways if name in way}
            for number, branch in enumerate(self.branches):
                if branch.after != name:
                    continue
                for key, to in branch.to.items():
                    if to and (not without or without.get(number, key) == key):
                        leads_to.add(to)
            todo += leads_to - reached
            reached |= leads_to
        return reached

    def _check_cycles(self) -> None:
        # Branches may loop, since a choice can end the loop; what always follows may not.
        done: set[str] = set()
        for start in self.before:
            path: list[str] = []
            todo: list[str | None] = [start]
            while todo:
                name = todo.pop()
                if name is None:
                    done.add(path.pop())
                elif name in path:
                    cycle = [*path[path.index(name) :], name]
                    raise ConfigError(
                        f"{self.where}: the steps wait for each other: "
                        + " -> ".join(reversed(cycle)),
                        hint="a loop is a branch that leads back",
                    )
                elif name not in done:
                    path.append(name)
                    todo += [None, *(before for way in self.before[name] for before in way)]

    def _check_joins(self) -> None:
        """Refuse a join of which a choice can leave some steps out: it would wait for ever,
        and LangGraph then ends the run as if all were done."""
        joins = [
            (name, set(way)) for name, ways in self.before.items() for way in ways if len(way) > 1
        ]
        for number, branch in enumerate(self.branches) if joins else ():
            for key, to in branch.to.items():
                reached = self.reached({number: key})
                if to is not None and branch.after in self._from(to):
                    continue  # it loops, so another choice is still to come
                for name, way in joins:
                    missing = way - reached
                    if missing and missing != way:
                        raise ConfigError(
                            f"{self.where}: the step {name!r} would wait for ever for "
                            f"{_listed(missing)} when the branch after {branch.after!r} "
                            f"chooses {key!r}",
                            hint=f"after_any={sorted(way)} runs it when one of them has finished",
                        )

    def _from(self, start: str) -> set[str]:
        alone: dict[str, Sequence[Sequence[str]]] = {
            name: [*([[]] if name == start else []), *(way for way in ways if way)]
            for name, ways in self.before.items()
        }
        return _Shape(
            where=self.where, before=alone, branches=self.branches, maps=self.maps
        ).reached()

    def _check_after_maps(self) -> None:
        # LangGraph would choose, or fan out, once for each branch of the fan-out before.
        for name in sorted(self.maps):
            for way in self.before[name]:
                for before in self.maps.intersection(way):
                    raise ConfigError(
                        f"{self.where}: the map {name!r} follows the map {before!r}",
                        hint=f"put a step between, which sees all that {before!r} collected",
                    )
        for branch in self.branches:
            for name in self.maps.intersection({branch.after, *branch.to.values()} - {None}):
                raise ConfigError(
                    f"{self.where}: a branch cannot begin or end at the map {name!r}",
                    hint="put a step between the two",
                )


class _Finder:
    """Looks up what ``after`` and ``to`` refer to."""

    def __init__(self, where: str, steps: Mapping[str, Declared]) -> None:
        self._where = where
        self._steps = steps

    def __call__(self, ref: StepRef, where: str) -> str:
        if isinstance(ref, str):
            if ref in self._steps:
                return ref
            from difflib import get_close_matches  # only an error needs it

            close = get_close_matches(ref, self._steps, n=1)
            raise ConfigError(
                f"{where}: no step {ref!r}",
                hint=f"did you mean {close[0]!r}?"
                if close
                else "the steps are " + ", ".join(self._steps),
            )
        found = [
            step.name
            for step in self._steps.values()
            if step.function is ref or step.function == ref
        ]
        if len(found) == 1:
            return found[0]
        shown = getattr(ref, "__name__", repr(ref))
        if found:
            raise ConfigError(
                f"{where}: the function {shown!r} is the steps {_listed(found)}",
                hint="name the one that is meant",
            )
        raise ConfigError(
            f"{where}: {shown!r} is not a step of this workflow",
            hint="declare it with @wf.step first",
        )

    def before(self, step: Declared, chosen: bool) -> list[list[str]]:
        """The ways to reach ``step`` other than by a branch; [] among them makes it a root."""
        where = f"{self._where}, step {step.name!r}"
        ways = [[self(ref, where)] for ref in step.after_any]
        if isinstance(step.after, Before):
            if not chosen:
                ways.append([] if step.previous is None else [step.previous])
        elif step.after is None:
            if not ways:
                ways.append([])
        elif isinstance(step.after, (list, tuple)):
            ways.append(list(dict.fromkeys(self(ref, where) for ref in step.after)))
        elif isinstance(step.after, str) or callable(step.after) or self._is_included(step.after):
            ways.append([self(cast("StepRef", step.after), where)])
        else:
            raise ConfigError(
                f"{where}: after={step.after!r} is neither a step nor a list of steps"
            )
        return ways

    def _is_included(self, ref: object) -> bool:
        return any(step.included and step.function is ref for step in self._steps.values())


class _Nothing(TypedDict):
    """What a branch of a map reads of the state: its own item comes with it."""


def _build(
    shape: _Shape, schema: type[Any], steps: Mapping[str, Declared], keys: Sequence[str]
) -> StateGraph[Any]:
    from langgraph.graph import START, StateGraph

    graph: StateGraph[Any] = StateGraph(schema)
    for step in steps.values():
        if step.included:
            where = f"{shape.where}, step {step.name!r}"
            graph.add_node(step.name, compiled(where, keys, step.function))
        elif step.mapped is None:
            graph.add_node(step.name, step.function)
        else:
            graph.add_node(
                step.name, _branch_node(step.function, step.mapped), input_schema=_Nothing
            )
    for name, ways in shape.before.items():
        mapped = steps[name].mapped
        for way in ways:
            if mapped is not None:
                after = way[0] if way else START
                single, joins = shape.followers(name)
                router = _fan_out(name, mapped, single, joins)
                graph.add_conditional_edges(after, router, [name, *(single or _end())])
            elif len(way) > 1:
                graph.add_edge(list(way), name)
            else:
                graph.add_edge(way[0] if way else START, name)
    for number, branch in enumerate(shape.branches):
        targets = {to or _end()[0] for to in branch.to.values()}
        graph.add_conditional_edges(
            branch.after, _chooser(shape.where, branch, number), sorted(targets)
        )
    return graph


def _end() -> list[str]:
    from langgraph.graph import END

    return [END]


def _branch_node(function: StepFunction, mapped: Mapped) -> StepFunction:
    """The node that runs one branch: it gets what ``_fan_out`` sent."""

    def arguments(sent: Mapping[str, Any]) -> list[Any]:
        return [sent["item"], sent["share"]] if mapped.share else [sent["item"]]

    def update(result: Any) -> Any:
        return result if mapped.collect is None else {mapped.collect: [result]}

    # No __wrapped__: LangGraph would read the signature of the user's function, not this one.
    def branch(sent: Mapping[str, Any]) -> Any:
        return update(function(*arguments(sent))) if sent else None

    async def async_branch(sent: Mapping[str, Any]) -> Any:
        return update(await function(*arguments(sent))) if sent else None

    node: StepFunction = async_branch if inspect.iscoroutinefunction(function) else branch
    node.__name__ = getattr(function, "__name__", "branch")
    node.__doc__ = function.__doc__
    return node


def _fan_out(
    name: str, mapped: Mapped, followers: Sequence[str], joins: bool
) -> Callable[[Any], Any]:
    """The router before a map: one Send for each item."""

    def route(state: Any) -> Any:
        from langgraph.types import Send

        items = _value(state, mapped.over, name)
        if not isinstance(items, (list, tuple)):
            raise StepFault(
                f"the map {name!r} goes over state[{mapped.over!r}], "
                f"which is of type {type(items).__name__}, not a list"
            )
        # What each branch is sent is stored with it, so only what was asked for goes along.
        share = {key: _value(state, key, name) for key in mapped.share}
        if items:
            return [
                Send(name, {"item": item, "share": share} if share else {"item": item})
                for item in items
            ]
        # Only the map itself can tell a join that it is done.
        return [Send(name, {})] if joins else list(followers) or _end()

    route.__name__ = f"each_of_{mapped.over}_to_{name}"
    return route


def _value(state: Any, key: str, name: str) -> Any:
    try:
        return state[key] if isinstance(state, Mapping) else getattr(state, key)
    except (KeyError, AttributeError) as error:
        raise StepFault(f"the map {name!r} needs state[{key!r}], which nothing has set") from error


def _chooser(where: str, branch: _Branch, number: int) -> Callable[[Any], str]:
    def choose(state: Any) -> str:
        key = branch.choose(state)
        if key not in branch.to:
            raise UnknownNextStep(
                f"{where}: the branch after {branch.after!r} chose {key!r}, "
                f"which is none of {_listed(branch.to)}"
            )
        return branch.to[key] or _end()[0]

    choose.__name__ = f"choose_{number}_after_{branch.after}"
    return choose


def _check_keys(where: str, state_schema: type[Any], steps: Mapping[str, Declared]) -> None:
    keys = state_keys(state_schema, where=where)
    for step in steps.values():
        if step.name in keys:
            raise ConfigError(
                f"{where}: {step.name!r} is a step and a key of the state, which LangGraph refuses",
                hint="give the step another name: @wf.step(name=...)",
            )
        if step.mapped is None:
            continue
        for key in filter(None, (step.mapped.over, step.mapped.collect, *step.mapped.share)):
            if key not in keys:
                raise ConfigError(
                    f"{where}, map {step.name!r}: the state has no key {key!r}",
                    hint="the keys are " + ", ".join(keys),
                )


def _listed(names: Iterable[object]) -> str:
    return ", ".join(repr(name) for name in sorted(names, key=repr))
