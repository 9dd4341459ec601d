"""What workflows there are, by name, without importing any of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from durajob.config.names import nearest
from durajob.config.target import TARGET_RULE, parse_target
from durajob.durations import counted
from durajob.errors import ConfigError, TargetError, WorkflowNotFound
from durajob.record import NOTHING, Record

if TYPE_CHECKING:
    from durajob.config.specs import Config, WorkflowSpec
    from durajob.policies import NotifyPolicy, Schedule, ShellStep, StepPolicy

OnBusy = Literal["fail", "skip", "wait"]


class Definition(Record):
    """One workflow as the registry knows it, before anything of it is imported."""

    name: str
    source: str  # "built-in", the path of the workflows.toml, or "target"
    target: str  # ./file.py:name or package.module:name; of commands, how many
    base: Path | None = None  # what a relative file is taken from, and modules are looked for in
    description: str = ""
    thread: str | None = None  # the template of thread ids
    input: Mapping[str, Any] = NOTHING
    on_change: Literal["refuse", "accept"] = "refuse"
    on_busy: OnBusy = "fail"
    timeout: float | None = None  # seconds for a whole run
    concurrency: int = 4  # steps that run at once
    max_resumes: int = 20
    max_crashes: int = 3  # so often in a row a step may kill its process
    max_running: int | None = None  # threads of the store that run at once
    commands: tuple[ShellStep, ...] = ()  # where there is no graph
    secrets: tuple[str, ...] = ()  # names of what logs must not show
    log_size: int | None = None  # bytes that the log of an attempt may take
    notify: NotifyPolicy | None = None  # None where nobody is told of anything
    policies: Mapping[str, StepPolicy] = NOTHING  # as workflows.toml says
    default_retry: Mapping[str, Any] = NOTHING  # numbers of RetryPolicy
    schedule: Schedule | None = None
    recover: bool = False  # whether tick resumes its threads whose owner is gone


def _built_in(name: str, description: str, *, thread: str | None = None) -> Definition:
    return Definition(
        name=name,
        source="built-in",
        target=f"durajob.examples.{name}:workflow",
        description=description,
        thread=thread,
    )


BUILT_IN: Mapping[str, Definition] = {
    each.name: each
    for each in (
        _built_in("durable", "three tasks in a row: kill it, resume it"),
        _built_in("retry", "a call that fails at random, with backoff"),
        _built_in(
            "idempotent",
            "a request processed once, however often",
            thread="idempotent-{input[request_id]}",
        ),
        _built_in("timeout", "a step that outlives its limit is killed"),
        _built_in("locked", "steps of several threads that never overlap"),
        _built_in("saga", "an order whose steps are undone when one fails"),
        _built_in("backup", "a folder into a content-addressed store"),
        _built_in("restore", "a backup, back in an empty folder"),
    )
}
"""The built-in workflows by name. What ``workflows`` shows of them stands here, so that listing
them imports none."""


class Registry:
    """The workflows that can be started here.

    Names come from the workflows.toml, which may take the name of a built-in one, and from the
    built-in ones. ``[defaults]`` hold for all of them, and for targets typed by hand.
    """

    def __init__(self, file: Path | None, *, config: Config | None = None) -> None:
        """``config`` is what ``file`` holds, where that has been read already."""
        self._file = file
        self._config = config
        self._problems: Mapping[str, ConfigError] = {}

    def names(self) -> tuple[str, ...]:
        """Every name, those of the workflows.toml first.

        Raises:
            ConfigError: when any workflow of the file is not right.
        """
        names = self._names()
        for problem in self._problems.values():
            raise problem
        return names

    def definitions(self) -> tuple[Definition, ...]:
        """Every definition, in the order of ``names``."""
        return tuple(self.get(name) for name in self.names())

    def get(self, name: str) -> Definition:
        """The definition of ``name``; with a colon in it, it is a target.

        The target of such a definition is absolute, or a module's: getting it again, from
        whatever folder, gives the same definition.

        Raises:
            WorkflowNotFound: when there is none; the nearest name is the hint.
            TargetError: when it has a colon but is no target.
            ConfigError: when what the workflows.toml says of it is not right; what it says of
                other workflows is no hindrance.
        """
        if ":" in name:
            return self._of_target(name)
        spec = self._specs().get(name)
        if spec is not None:
            return self._of_spec(name, spec)
        if name in self._problems:
            raise self._problems[name]
        if name in BUILT_IN:
            return BUILT_IN[name]._replace(**self._defaults(), notify=self._notify(name))
        raise WorkflowNotFound(f"no workflow {_shown(name)}", hint=self._hint(name))

    def _hint(self, name: str) -> str:
        if "/" in name or name.endswith(".py"):
            return f"name the graph in the file too: {name[:200]}:NAME ({TARGET_RULE})"
        near = nearest(name, self._names())
        return f"did you mean {near!r}?" if near else "durajob workflows lists what there is"

    def _of_spec(self, name: str, spec: WorkflowSpec) -> Definition:
        from durajob.config.notify import notify_policy
        from durajob.config.policies import commands_of, step_policies
        from durajob.config.schedules import schedule_of

        config = self._read()
        given = {
            key: value
            for key in (
                *("on_busy", "timeout", "concurrency"),
                *("max_resumes", "max_crashes", "recover"),
            )
            if (value := getattr(spec, key)) is not None
        }
        if config is not None:
            given["notify"] = notify_policy(name, config.defaults.notify, spec.notify)
        base = self._file.parent if self._file else None
        return Definition(
            name=name,
            source=str(self._file),
            target=spec.graph or counted(len(spec.steps), "shell step"),
            base=base,
            commands=commands_of(spec, base),
            description=spec.description,
            thread=spec.thread,
            input=spec.input,
            on_change=spec.on_change,
            policies=step_policies(config.defaults, spec) if config else {},
            schedule=schedule_of(spec, config.defaults) if config else None,
            **(self._defaults() | given),
        )

    def _of_target(self, text: str) -> Definition:
        try:
            target = parse_target(text)
        except ValueError as error:
            raise TargetError(f"no workflow and no target: {error}", hint=TARGET_RULE) from error
        if target.file is not None and not target.file.startswith("/"):
            target = target.within(_here(text))
        taken = self._names()
        import hashlib

        digest = hashlib.sha256(str(target).encode(errors="surrogateescape")).hexdigest()[:8]
        free = [label for label in target.labels if label not in taken]
        name = free[0] if free else f"{target.labels[0][:91]}-{digest}"
        base = self._file.parent if self._file else None
        return Definition(
            name=name,
            source="target",
            target=str(target),
            base=base,
            notify=self._notify(name),
            **self._defaults(),
        )

    def _defaults(self) -> dict[str, Any]:
        """The file's ``[defaults]``, as fields of a definition."""
        config = self._read()
        if config is None:
            return {}
        from durajob.config.policies import retry_numbers

        defaults = config.defaults
        return {
            "on_busy": defaults.on_busy,
            "timeout": defaults.timeout,
            "concurrency": defaults.concurrency,
            "max_resumes": defaults.max_resumes,
            "max_crashes": defaults.max_crashes,
            "max_running": defaults.max_running,
            "default_retry": retry_numbers(defaults.retry),
            "recover": defaults.recover,
            "secrets": config.secrets,
            "log_size": config.logs.max_size,
        }

    def _notify(self, name: str) -> NotifyPolicy | None:
        """What ``[defaults]`` say of who is told."""
        config = self._read()
        if config is None:
            return None
        from durajob.config.notify import notify_policy

        return notify_policy(name, config.defaults.notify)

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._specs(), *self._problems, *BUILT_IN)))

    def _specs(self) -> Mapping[str, WorkflowSpec]:
        config = self._read()
        return config.workflows if config else {}

    def _read(self) -> Config | None:
        if self._config is None and self._file is not None:
            from durajob.config.load import check_config  # msgspec: not where there is no file

            self._config, self._problems = check_config(self._file)
        return self._config


def _here(text: str) -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise TargetError(
            f"{_shown(text)} is relative to a folder that no longer exists",
            hint="change to a folder that exists, or give an absolute path",
        ) from error


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:199] + "…")
