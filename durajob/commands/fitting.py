"""Whether unfinished threads fit today's definitions: asked of a process of its own.

That process imports users' code, under the folder, PATH and interpreter of the threads. It is
killed when it takes too long, and what it prints goes nowhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from durajob.config.settings import Settings, StoreLocation
from durajob.errors import DurajobError

_SECONDS = 60.0
_KEPT = (
    *("id", "thread", "status", "started_at", "checkpoint_id", "outcome", "cancel_epoch"),
    *("definition", "fingerprint", "shape", "next"),
)


class Misfit(NamedTuple):
    """Why a thread could not be resumed, and what helps."""

    message: str
    hint: str | None
    code: str


def misfits(
    rows: Sequence[Mapping[str, Any]], settings: Settings, *, accept_change: bool = False
) -> list[Misfit]:
    """What keeps each of the threads from being resumed; nothing for those that fit.

    ``accept_change``: a person says that another shape will do.
    """
    groups: dict[tuple[str, str | None, str | None], dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        kept = json.loads(row["environment"])
        where = kept["executable"], kept["cwd"], kept["path"]
        alike = json.dumps([row["definition"], row["fingerprint"], row["next"]])
        groups.setdefault(where, {}).setdefault(alike, []).append(row)
    found = []
    for where, kinds in groups.items():
        first = [each[0] for each in kinds.values()]
        answers = _ask(where, first, settings, accept_change)
        for answer, same in zip(answers, kinds.values(), strict=True):
            if answer is not None:
                found.append(_told(answer, same))
    return found


def _told(answer: Misfit, rows: Sequence[Mapping[str, Any]]) -> Misfit:
    more = f" (and {len(rows) - 1} more threads)" if len(rows) > 1 else ""
    message, name = answer.message, rows[0]["thread"]
    head = "" if f"thread {name} " in message else f"thread {name}: "
    return answer._replace(message=f"{head}{message}{more}")


def _ask(
    where: tuple[str, str | None, str | None],
    rows: Sequence[Mapping[str, Any]],
    settings: Settings,
    accept_change: bool,
) -> Sequence[Misfit | None]:
    executable, cwd, path = where
    if not os.access(executable, os.X_OK):
        return [_gone(executable, row["thread"]) for row in rows]
    if cwd is not None and not os.path.isdir(cwd):
        return [_gone(f"the folder {cwd}", row["thread"]) for row in rows]
    question = {
        "file": None if settings.file is None else str(settings.file),
        "store": [str(settings.store.path), settings.store.url],
        "accept_change": accept_change,
        "rows": [{name: row[name] for name in _KEPT} for row in rows],
    }
    try:
        done = subprocess.run(
            [executable, "-P", "-m", "durajob.commands.fitting"],
            input=json.dumps(question),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, **({} if path is None else {"PATH": path})},
            text=True,
            timeout=_SECONDS,
            start_new_session=True,
        )
        answers = [None if each is None else Misfit(*each) for each in json.loads(done.stdout)]
    except subprocess.TimeoutExpired:
        text = f"its workflow takes longer than {_SECONDS:.0f}s to load"
        return [Misfit(text, "durajob validate", "bad_target") for _ in rows]
    except (OSError, ValueError, TypeError) as error:
        text = f"its workflow could not be looked at with {executable}: {error}"
        return [Misfit(" ".join(text.split()), "durajob validate", "bad_target") for _ in rows]
    return answers


def _gone(what: str, thread: str) -> Misfit:
    hint = f"durajob resume {thread} --here takes this folder, PATH and Python instead"
    return Misfit(f"{what} is gone", hint, "environment_gone")


def _main() -> None:
    out = os.dup(1)  # what users' code prints at its import is no answer
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    question = json.load(sys.stdin)
    path, url = question["store"]
    file = None if question["file"] is None else Path(question["file"])
    settings = Settings(file=file, store=StoreLocation(path=Path(path), url=url))
    answers = list(_answers(question["rows"], settings, question["accept_change"]))
    os.write(out, json.dumps(answers).encode())
    os._exit(0)  # whatever threads that code has begun


def _answers(
    rows: Sequence[Mapping[str, Any]], settings: Settings, accept_change: bool
) -> Iterator[Any]:
    for row in rows:
        try:
            _fit(row, settings, accept_change)
        except DurajobError as error:
            yield error.message, error.hint, error.code
        else:
            yield None


def _fit(row: Mapping[str, Any], settings: Settings, accept_change: bool) -> None:
    from durajob.commands.running import definition_file, definition_of
    from durajob.engine.claim import Claim, check_fit
    from durajob.engine.graph import describe
    from durajob.targets import load

    definition = definition_of(row, settings)
    loaded = load(definition)
    request = Claim(
        thread=row["thread"],
        definition=definition,
        loaded=loaded,
        shape=describe(loaded.builder, loaded.policies),
        file=definition_file(definition, settings),
        accept_change=accept_change,
    )
    check_fit(request, row, settings.store.path)


if __name__ == "__main__":
    _main()
