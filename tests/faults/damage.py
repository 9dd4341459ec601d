"""Damage: bytes of a store are flipped, cut off, swapped, lost; then durajob is asked.

    python -m tests.faults.damage --count 2000 --seed 1 --jobs 2
    python -m tests.faults.damage --seed 1 --only 17

Each case takes a store as killed jobs left it, damages it, and runs ``status``, ``list``,
``status THREAD``, ``doctor`` and ``resume THREAD`` in processes of their own. Each must say what
the sound store says, or that the store cannot be used; a resume that goes on must end as it
would have ended, and run no step that had finished. The judge's file is outside of durajob.
A case is made by its seed and its number alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests import preload  # noqa: F401 - LangGraph is imported once, not in each process
from tests.faults.damages import DAMAGES, Target
from tests.faults.sound import (
    Sound,
    commits_of,
    copied,
    digests,
    essence,
    make_sound,
    reads,
    run,
)

REFUSED = (69, 74, 77)
_STEPS = {"t": [*"abcd"], "f": ["plan", *(f"work{i}" for i in range(12)), "collect"], "old": []}


class Case(NamedTuple):
    """A case and what came of it; ``wrong`` is empty where all promises held."""

    number: int
    kind: str
    told: str
    outcome: str
    wrong: list[str]


def try_case(number: int, seed: int, stores: Sequence[Sound]) -> Case:
    """Make the damage of this number, run the commands, judge."""
    rng = Random(f"{seed}:{number}")
    sound = rng.choice(stores)
    damage = rng.choices(list(DAMAGES), list(DAMAGES.values()))[0]
    thread = rng.choices(sound.threads, (1, 4, 4))[0]
    with copied(sound, str(number)) as folder:
        logs = [each.folder / "s" / "d.db-wal" for each in stores if each is not sound]
        logs = [each for each in logs if each.exists()]
        told = damage(Target(folder, sound.older, logs, rng))
        same = digests(folder) == digests(sound.folder)
        try:
            if _is_beyond_noticing(folder, sound):
                return Case(number, damage.__name__, told, "older, no lock file", _survives(folder))
            # A page that was whole once is sound in itself: a list may then be an older one.
            past = sound.past if "as it was before" in told else {}
            outcome, wrong = _judge(folder, sound, thread, past)
        except Exception as error:
            outcome, wrong = "not judged", [repr(error)]
    if same:
        outcome = "nothing changed"
    return Case(number, damage.__name__, f"{sound.folder.name}: {told}", outcome, wrong)


def _judge(
    folder: Path, sound: Sound, thread: str, past: Mapping[tuple[str, ...], Any]
) -> tuple[str, list[str]]:
    wrong: list[str] = []
    before = digests(folder)
    commands = [*reads(sound), ("doctor", "--no-definitions")]
    said = run(folder, *((*each, "--json") for each in commands))
    refused = 0
    for command, each in zip(commands, said, strict=True):
        name = " ".join(command)
        if each.status in REFUSED:
            refused += 1
        elif each.status != 0:
            wrong.append(f"{name} ended with {each.status}: {each.out[:300]}")
        elif command[0] != "doctor" and essence(each) not in (
            *sound.truths[command],
            past.get(command),
        ):
            wrong.append(f"{name} says {_difference(essence(each), sound.truths[command][0])}")
        if "Traceback" in each.err:
            wrong.append(f"{name}: {each.err[-600:]}")
    if digests(folder) != before:
        wrong.append("a command that reads has changed the store")
    doctor = said[-1].status
    if refused and doctor == 0:
        wrong.append("doctor finds nothing")
    resumed, went_on = _judge_resume(folder, sound, thread, wrong)
    if resumed in REFUSED and doctor == 0:
        wrong.append(f"resume is refused ({resumed}), but doctor finds nothing")
    if resumed in REFUSED and not went_on and digests(folder) != before:
        wrong.append(f"resume was refused ({resumed}), but has changed the store")
    if resumed in REFUSED:
        return "resume noticed it" if went_on or not refused else "all refused", wrong
    if refused == 0:
        return "all went on", wrong
    return "doctor alone noticed it" if refused == 1 and doctor else "some refused", wrong


def _is_beyond_noticing(folder: Path, sound: Sound) -> bool:
    """Whether the store is an older one, and the lock file, which alone could tell, is lost or
    says nothing. That is also how a person says that an older copy is meant."""
    lock = folder / "s" / "d.db-lock"
    if lock.exists() and any(lock.read_bytes()):
        return False
    commits = commits_of(folder)
    return commits is not None and commits < sound.commits


def _survives(folder: Path) -> list[str]:
    """What is wrong if no more is asked than that each command ends as commands end."""
    commands = [("list",), ("status",), ("doctor", "--no-definitions"), ("resume", "t")]
    said = run(folder, *((*each, "--json") for each in commands))
    return [
        f"{' '.join(command)} ended with {each.status}: {each.err[-600:]}"
        for command, each in zip(commands, said, strict=True)
        if each.status not in (0, 66, *REFUSED) or "Traceback" in each.err
    ]


def _judge_resume(
    folder: Path, sound: Sound, thread: str, wrong: list[str]
) -> tuple[int, list[str]]:
    past = _lines(folder)
    done = run(folder, ("resume", thread, "--json"))[0]
    new = _lines(folder)[len(past) :]
    again = [line for line in new if line in sound.finished or line.startswith("poll")]
    if again:
        wrong.append(f"resume ran again what had finished: {again}")
    if "Traceback" in done.err:
        wrong.append(f"resume: {done.err[-600:]}")
    if done.status == 0:
        ended = done.data["thread"]
        if (ended["status"], ended["state"]) != ("completed", sound.ends[thread]):
            wrong.append(f"resume ended with {json.dumps(ended)[:600]}")
        lacking = [step for step in _STEPS[thread] if step not in past + new]
        if lacking or len(new) != len(set(new)):
            wrong.append(f"resume ran {new}, and never {lacking}")
    elif done.status not in REFUSED:
        wrong.append(f"resume ended with {done.status}: {done.out[-500:]}")
    return done.status, new


def _difference(said: Any, true: Any) -> str:
    if isinstance(said, dict) and isinstance(true, dict):
        parts = {key: said.get(key) for key in true if said.get(key) != true[key]}
        return f"{json.dumps(parts)[:400]}, not {json.dumps({k: true[k] for k in parts})[:400]}"
    return f"{said}, not {true}"[:800]


def _lines(folder: Path) -> list[str]:
    effects = folder / "effects"
    return effects.read_text().split() if effects.exists() else []


# The command.


def main(argv: Sequence[str]) -> int:
    """Try cases, print what came of them by outcome; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="damage", description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--small", action="store_true", help="leave the large stores out")
    options = parser.parse_args(argv)
    numbers = range(options.count) if options.only is None else [options.only]
    with tempfile.TemporaryDirectory(prefix="damage") as base:
        stores = make_sound(Path(base), large=not options.small)
        cases = list(_all(numbers, options.seed, options.jobs, stores, Path(base)))
    for case in cases:
        if case.wrong or options.only is not None:
            print(f"{case.number} {case.kind}: {case.told}: {case.outcome}")  # noqa: T201
            print("".join(f"    {each}\n" for each in case.wrong), end="")  # noqa: T201
    _print_table(cases)
    return 1 if any(case.wrong for case in cases) else 0


def _all(
    numbers: Sequence[int], seed: int, jobs: int, stores: Sequence[Sound], base: Path
) -> Iterator[Case]:
    workers = []
    for worker in range(jobs):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with open(base / f"cases{worker}", "w", encoding="utf-8") as file:
                    for number in numbers[worker::jobs]:
                        case = try_case(number, seed, stores)
                        file.write(json.dumps(case) + "\n")
                        if case.wrong:
                            print(case, file=sys.stderr, flush=True)  # noqa: T201 - at once
                status = 0
            finally:
                if status:
                    import traceback

                    traceback.print_exc()
                os._exit(status)
        workers.append(pid)
    ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
    assert not any(ended), f"workers ended with {ended}"
    for worker in range(jobs):
        for line in (base / f"cases{worker}").read_text(encoding="utf-8").splitlines():
            yield Case(*json.loads(line))


def _print_table(cases: Sequence[Case]) -> None:
    outcomes = Counter((case.kind, case.outcome) for case in cases)
    titles = sorted({case.outcome for case in cases})
    rows = [["", *titles, "broken promises"]]
    for kind in [*sorted({case.kind for case in cases}), "all"]:
        chosen = [case for case in cases if kind in (case.kind, "all")]
        counts = [
            sum(n for (k, o), n in outcomes.items() if o == title and kind in (k, "all"))
            for title in titles
        ]
        rows.append([kind, *map(str, counts), str(sum(bool(case.wrong) for case in chosen))])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print(line)  # noqa: T201
    print(f"{len(cases)} damages, {sum(bool(case.wrong) for case in cases)} broken promises")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
