"""A picture of a workflow, or of a thread with its progress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from durajob.config.settings import Settings
from durajob.errors import (
    AmbiguousThread,
    NoStore,
    StoreDamaged,
    ThreadNotFound,
    UsageError,
    WorkflowNotFound,
)
from durajob.model import Thread, is_thread_id
from durajob.picture import Picture, flat
from durajob.store.read import Reader

FORMS = ("tree", "mermaid", "svg")


def graph(name: str, *, settings: Settings, form: str) -> Picture:
    """The steps and edges of the thread of that name, else of the workflow.

    For a thread no code of users is loaded: its shape is kept with it.

    Raises:
        WorkflowNotFound: when there is neither.
        AmbiguousThread: when ``name`` is the beginning of several threads, and no workflow.
        TargetError, ConfigError: when the workflow does not load.
    """
    if form not in FORMS:
        raise UsageError(f"--format {form[:40]!r} is none", hint=f"one of {', '.join(FORMS)}")
    ambiguous: AmbiguousThread | None = None
    if is_thread_id(name):
        try:
            with Reader(settings.store.path) as reader:
                return _of_thread(reader, reader.resolve(name), form)
        except (NoStore, ThreadNotFound):
            pass
        except AmbiguousThread as error:
            ambiguous = error
    try:
        return _of_workflow(name, settings, form)
    except WorkflowNotFound as error:
        if ambiguous is not None:
            raise ambiguous from error
        raise WorkflowNotFound(f"no workflow and no thread {name!r}", hint=error.hint) from error


def _of_thread(reader: Reader, thread: str, form: str) -> Picture:
    found = reader.find(thread, whole=True)
    row = reader.row(thread)
    assert found is not None, "it was just resolved"
    assert row is not None, "so was its row"
    try:
        return _picture(found.workflow, json.loads(row["shape"]), form, found)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise StoreDamaged(
            f"the shape of thread {thread} cannot be read: {error}", hint="durajob doctor"
        ) from error


def _of_workflow(name: str, settings: Settings, form: str) -> Picture:
    from durajob.registry import Registry

    definition = Registry(settings.file).get(name)
    from durajob.engine.graph import describe  # LangGraph comes with it
    from durajob.targets import load

    loaded = load(definition)
    return _picture(name, describe(loaded.builder, loaded.policies).parts, form, None)


def _picture(name: str, parts: Mapping[str, Any], form: str, thread: Thread | None) -> Picture:
    steps, edges = flat(parts)
    return Picture(name=name, steps=steps, edges=edges, form=form, thread=thread)
