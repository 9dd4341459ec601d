"""Why a thread stands where it stands, and the command that moves it.

Neither the workflow nor LangGraph is imported: whether the shape of a graph still fits its thread
takes the graph, and is left to ``doctor`` and to the resume itself. What can be told without (a
definition, a file, a folder that is gone) is told here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from durajob.cause import Why
from durajob.commands.causes import Facts, Limits, cause_of
from durajob.commands.ids import check_thread_id
from durajob.commands.reading import reading
from durajob.config.settings import Settings
from durajob.errors import ConfigError
from durajob.store.standing import Standing, standing


def why(thread: str, *, settings: Settings) -> Why:
    """The one reason that matters, in a sentence.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        StoreError: when the store, or the thread in it, is damaged; that is the reason then.
    """
    check_thread_id(thread)
    with reading(thread, settings) as (reader, name):
        found = standing(reader, name)
    assert found is not None, "it was just resolved"
    limits = Limits() if found.thread.is_final else limits_of(found, settings)
    facts = Facts(found, limits, settings.store.path)
    return Why(
        thread=name,
        status=found.thread.status,
        cause=cause_of(facts),
        input=found.thread.input,
    )


def limits_of(found: Standing, settings: Settings) -> Limits:
    """What the thread's workflows.toml says of it today, and what of its definition is gone."""
    kept = found.definition
    file = Path(kept["file"]) if kept["file"] else None
    if file is None or not file.exists():
        file = settings.file
    tables: Mapping[str, Any] = {}
    if file is not None:
        from durajob.config.toml import read_document

        try:
            tables = read_document(file).tables
        except ConfigError as error:
            return Limits(gone=error.message)
    defaults, workflows = _table(tables, "defaults"), _table(tables, "workflows")
    own = _table(workflows, kept["name"])
    return Limits(
        max_resumes=_number(own, _number(defaults, 20, "max_resumes"), "max_resumes"),
        max_running=_number(defaults, None, "max_running"),
        gone=_gone(kept["name"], own, kept["name"] in workflows, file),
    )


def _gone(name: str, own: Mapping[str, Any], is_there: bool, file: Path | None) -> str | None:
    """What a resume would look for, and not find."""
    target = name if ":" in name else own.get("graph")
    if ":" not in name and not is_there and not _is_built_in(name):
        where = "there is no workflows.toml" if file is None else f"it is not in {file}"
        return f"there is no workflow {name!r} any more: {where}"
    if isinstance(target, str) and (":" in name or is_there):
        path = target.rpartition(":")[0]
        if path.endswith(".py") or "/" in path:
            found = os.path.join(file.parent if file else "/", path)
            if not os.path.exists(found):
                return f"the file {os.path.normpath(found)} of its workflow is gone"
    return None


def _is_built_in(name: str) -> bool:
    from durajob.registry import BUILT_IN

    return name in BUILT_IN


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tables.get(name)
    return found if isinstance(found, dict) else {}


def _number(table: Mapping[str, Any], otherwise: Any, key: str) -> Any:
    """What the file says; whether it may say so is the business of ``validate``."""
    found = table.get(key)
    return found if type(found) is int and found > 0 else otherwise
