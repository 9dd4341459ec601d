"""``durajob validate``: whether every workflow of the workflows.toml loads."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from durajob.catalogue import WorkflowInfo, Workflows
from durajob.commands.workflows import info
from durajob.config.settings import Settings
from durajob.errors import ConfigError, DurajobError, TargetError, WorkflowNotFound
from durajob.model import ErrorInfo
from durajob.registry import BUILT_IN, Definition, Registry
from durajob.targets import load
from durajob.targets.imports import is_users


def validate(*, settings: Settings, names: Sequence[str] = ()) -> Workflows:
    """Load and compile the workflows of the file, or those named; run none of them.

    Without a workflows.toml and without names it is the built-in ones. The result's exit
    status is 78 when any has a problem; each carries its own.

    Raises:
        WorkflowNotFound: when a name is not one of a workflow.
        ConfigError: when what is wrong in the file belongs to no single workflow.
    """
    problems: dict[str, ConfigError] = {}
    registry = Registry(settings.file)
    every: Sequence[str] = tuple(BUILT_IN)
    if settings.file is not None:
        from durajob.config.load import check_config  # msgspec: not where there is no file

        config, found = check_config(settings.file)
        problems.update(found)
        registry = Registry(settings.file, config=config)
        every = (*config.workflows, *problems)
    infos = tuple(
        _unreadable(name, problems[name], settings.file)
        if name in problems
        else _checked(_get(registry, name, problems))
        for name in names or every
    )
    wrong = [each.name for each in infos if each.problem is not None]
    return Workflows(
        workflows=infos,
        file=str(settings.file) if settings.file else None,
        exit_status=ConfigError.exit_status if wrong else 0,
        error=_summary(infos, wrong) if wrong else None,
        notes=() if wrong else (_all_right(infos),),
    )


def _get(registry: Registry, name: str, problems: dict[str, ConfigError]) -> Definition:
    try:
        return registry.get(name)
    except WorkflowNotFound as error:
        if problems:  # the name that was meant may be one that could not be read
            error.hint = f"{error.hint}; not readable: {', '.join(problems)}"
        raise


def _checked(definition: Definition) -> WorkflowInfo:
    shown = info(definition)
    try:
        with _as_if_alone():
            from durajob.engine.graph import describe  # LangGraph comes with it

            loaded = load(definition)
            try:
                loaded.builder.compile()
            except Exception as error:  # LangGraph's, for a graph that makes no sense
                said = " ".join(str(error).split())
                raise TargetError(
                    f"{definition.target}: does not compile: {said}",
                    hint="mend the graph; LangGraph says what it misses",
                ) from error
            describe(loaded.builder, loaded.policies)
    except DurajobError as error:
        return shown._replace(problem=_error_info(error))
    return shown._replace(steps=tuple(loaded.builder.nodes))


def _unreadable(name: str, problem: ConfigError, file: Path | None) -> WorkflowInfo:
    return WorkflowInfo(
        name=name, source=str(file), target="", description="", problem=_error_info(problem)
    )


def _error_info(error: DurajobError) -> ErrorInfo:
    return ErrorInfo(code=error.code, message=error.message, hint=error.hint)


def _summary(infos: Sequence[WorkflowInfo], wrong: Sequence[str]) -> ErrorInfo:
    shown = ", ".join(wrong[:5]) + (", …" if len(wrong) > 5 else "")
    count = f"{len(wrong)} of {len(infos)} workflows" if len(infos) > 1 else "the workflow"
    verb = "have" if len(wrong) > 1 else "has"
    return ErrorInfo(
        code=ConfigError.code,
        message=f"{count} {verb} a problem: {shown}",
        hint="mend what is said of each, then: durajob validate",
    )


def _all_right(infos: Sequence[WorkflowInfo]) -> str:
    if not infos:
        return "no workflows to check"
    return "1 workflow is right" if len(infos) == 1 else f"{len(infos)} workflows are right"


@contextmanager
def _as_if_alone() -> Iterator[None]:
    """Two workflows' folders may each have a ``helpers.py``; neither must see the other's."""
    path, modules = sys.path[:], set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and is_users(file):
                del sys.modules[name]
