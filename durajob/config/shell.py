"""``[[workflows.NAME.steps]]``: steps that are shell commands, checked and put in order."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from durajob.config.names import nearest
from durajob.config.specs import ApprovalSpec, ShellCompensateSpec, ShellSpec
from durajob.errors import ConfigError
from durajob.policies import ShellApproval, ShellStep

Refuse = Callable[[tuple[str, ...], str, str | None], ConfigError]
"""Makes the refusal of a key below ``steps``: its path, the problem, the way out."""

STEP_NAME_RULE = "a step's name is letters, digits, _ - and . of ASCII, up to 100, no digit first"
LONGEST_COMMAND = 100_000
GRACE = 5.0

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_EXAMPLES = {"run": "pg_dump shop", "when": "test -s list", "compensate": "rm -rf dump"}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELLS: Mapping[str, tuple[str, ...]] = {
    "sh": ("/bin/sh", "-ec"),
    "bash": ("bash", "-eo", "pipefail", "-c"),
}


def shell_steps(specs: Sequence[ShellSpec], refuse: Refuse) -> tuple[ShellStep, ...]:
    """The steps, with what each waits for.

    Where none says ``needs``, each waits for the one before it.

    Raises:
        ConfigError: made by ``refuse``.
    """
    _check_names(specs, refuse)
    in_turn = all(spec.needs is None for spec in specs)
    names = [spec.name for spec in specs]
    steps = []
    for number, spec in enumerate(specs):
        _check(spec, refuse)
        needs = tuple(names[number - 1 : number]) if in_turn and number else _needs(spec)
        for name in needs:
            if name not in names:
                near = nearest(name, names)
                hint = f"did you mean {near!r}?" if near else f"the steps are {', '.join(names)}"
                raise refuse((spec.name, "needs"), f"there is no step {name!r}", hint)
        steps.append(
            ShellStep(
                name=spec.name,
                run=spec.run,
                needs=needs,
                shell=_shell(spec.shell),
                cwd=spec.cwd,
                env=dict(spec.env),
                when=spec.when,
                foreach=spec.foreach,
                timeout=None if spec.timeout is None else float(spec.timeout),
                idle_timeout=None if spec.idle_timeout is None else float(spec.idle_timeout),
                grace=GRACE if spec.grace is None else float(spec.grace),
                compensate=_compensation(spec),
                approval=_approval(spec.approval),
            )
        )
    _check_cycles(steps, refuse)
    return tuple(steps)


def _needs(spec: ShellSpec) -> tuple[str, ...]:
    if spec.needs is None:
        return ()
    return tuple(dict.fromkeys([spec.needs] if isinstance(spec.needs, str) else spec.needs))


def _approval(said: str | ApprovalSpec | None) -> ShellApproval | None:
    if said is None:
        return None
    if isinstance(said, str):
        return ShellApproval(prompt=said, schema=None, expires=None)
    expires = None if said.expires is None else float(said.expires)
    return ShellApproval(prompt=said.prompt, schema=said.schema, expires=expires)


def _compensation(spec: ShellSpec) -> ShellStep | None:
    """The command that undoes the step: in the step's surroundings, unless it says its own."""
    if spec.compensate is None:
        return None
    said = _own(spec.compensate)
    grace = spec.grace if said.grace is None else said.grace
    return ShellStep(
        name=spec.name,
        run=said.run,
        needs=(),
        shell=_shell(spec.shell if said.shell is None else said.shell),
        cwd=spec.cwd if said.cwd is None else said.cwd,
        env={**spec.env, **said.env},
        when=None,
        foreach=None,
        timeout=None if said.timeout is None else float(said.timeout),
        idle_timeout=None,
        grace=GRACE if grace is None else float(grace),
    )


def _own(said: str | ShellCompensateSpec) -> ShellCompensateSpec:
    return ShellCompensateSpec(run=said) if isinstance(said, str) else said


def _shell(said: str | list[str] | None) -> tuple[str, ...]:
    if isinstance(said, list):
        return tuple(said)
    return _SHELLS.get(said or "sh") or (said or "", "-c")


def _check_names(specs: Sequence[ShellSpec], refuse: Refuse) -> None:
    seen: set[str] = set()
    for spec in specs:
        if not _NAME.fullmatch(spec.name):
            raise refuse((spec.name, "name"), f"{spec.name[:60]!r} is no name", STEP_NAME_RULE)
        if spec.name in seen:
            raise refuse((spec.name, "name"), "two steps have this name", "rename one of them")
        seen.add(spec.name)
    for spec in specs:
        if spec.foreach is not None and f"{spec.name}.items" in seen:
            raise refuse(
                (spec.name, "foreach"),
                f"{spec.name}.items is the step that makes its list, and another has that name",
                "rename one of them",
            )


def _check(spec: ShellSpec, refuse: Refuse) -> None:
    _check_command((spec.name, "run"), spec.run, refuse)
    if spec.when is not None:
        _check_command((spec.name, "when"), spec.when, refuse)
    if spec.foreach is not None and (not spec.foreach or spec.foreach == spec.name):
        raise refuse(
            (spec.name, "foreach"),
            "must name a key of the state, other than the step's name",
            "what the branches find out stands in the state under the step's name",
        )
    asked = _approval(spec.approval)
    if asked is not None and not asked.prompt.strip():
        raise refuse((spec.name, "approval"), "asks nothing", 'for example approval = "Send them?"')
    if asked is not None and not _is_json(asked.schema):
        raise refuse((spec.name, "approval", "schema"), "holds what JSON cannot", "such as a date")
    _check_surroundings((spec.name,), spec, refuse)
    if spec.compensate is not None:
        key, own = (spec.name, "compensate"), _own(spec.compensate)
        _check_command(key if own is not spec.compensate else (*key, "run"), own.run, refuse)
        _check_surroundings(key, own, refuse)


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _check_command(key: tuple[str, ...], command: str, refuse: Refuse) -> None:
    if not command.strip():
        raise refuse(key, "is empty", f'for example {key[-1]} = "{_EXAMPLES[key[-1]]}"')
    if "\0" in command:
        raise refuse(key, "holds a zero byte", None)
    if len(command.encode("utf-8", "replace")) > LONGEST_COMMAND:
        raise refuse(key, f"has more than {LONGEST_COMMAND:,} bytes", "call a script")


def _check_surroundings(
    key: tuple[str, ...], spec: ShellSpec | ShellCompensateSpec, refuse: Refuse
) -> None:
    if spec.shell is not None and (not spec.shell or spec.shell[0] == ""):
        raise refuse((*key, "shell"), "is empty", 'for example shell = "bash"')
    if spec.cwd is not None and (not spec.cwd or "\0" in spec.cwd):
        raise refuse((*key, "cwd"), "names no folder", None)
    for name, value in spec.env.items():
        if not _VARIABLE.fullmatch(name) or name.startswith("DURAJOB_"):
            problem = f"{name[:60]!r} cannot be set"
            hint = "a variable is letters, digits and _; those that begin with DURAJOB_ are ours"
            raise refuse((*key, "env"), problem, hint)
        if "\0" in value:
            raise refuse((*key, "env", name), "holds a zero byte", None)


def _check_cycles(steps: Sequence[ShellStep], refuse: Refuse) -> None:
    left = {step.name: set(step.needs) for step in steps}
    while ready := [name for name, needs in left.items() if not needs]:
        for name in ready:
            del left[name]
        for needs in left.values():
            needs.difference_update(ready)
    if left:
        path = [min(left, key=[step.name for step in steps].index)]
        while path[-1] not in path[:-1]:
            path.append(min(left[path[-1]] & left.keys()))
        cycle = path[path.index(path[-1]) :]
        raise refuse(
            (cycle[0], "needs"),
            f"the steps wait for each other: {' needs '.join(cycle)}",
            "remove one of these needs",
        )
