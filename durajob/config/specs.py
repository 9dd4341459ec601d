"""workflows.toml as types: what may stand where, and within which limits.

msgspec checks the shapes; what a shape cannot say (a rule of grammar, one key against another)
stands in ``load``. None means that the key was not given. A key that this version does not act
on has no place here: it is refused, not accepted and ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from durajob.policies import MAX_HOLDERS


class Duration(float):
    """Seconds, written as ``30s`` or ``1h30m``."""


class Size(int):
    """Bytes, written as ``500KB`` or ``10MB``."""


Attempts = Annotated[int, Meta(ge=1, le=1000)]
Factor = Annotated[float, Meta(ge=1, le=100)]
MaxResumes = Annotated[int, Meta(ge=0, le=1_000_000)]
MaxCrashes = Annotated[int, Meta(ge=1, le=1_000_000)]
MaxRunning = Annotated[int, Meta(ge=1, le=10_000)]
Concurrency = Annotated[int, Meta(ge=1, le=1000)]
Keep = Annotated[int, Meta(ge=0, le=1_000_000)]
ExitCode = Annotated[int, Meta(ge=1, le=255)]
Holders = Annotated[int, Meta(ge=1, le=MAX_HOLDERS)]
OnBusy = Literal["fail", "skip", "wait"]
OnChange = Literal["refuse", "accept"]
Missed = Literal["none", "latest", "all"]
Overlap = Literal["skip", "queue"]


class RetryNumbers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often and how long apart; ``[defaults]`` may say this, but not on what."""

    attempts: Attempts | None = None
    wait: Duration | None = None
    factor: Factor | None = None
    max_wait: Duration | None = None
    jitter: bool | None = None
    total: Duration | None = None


class RetrySpec(RetryNumbers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step's retry: what to retry on is always said."""

    on: str | list[str] | None = None
    on_exit: ExitCode | list[ExitCode] | None = None


class LockSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step's lock, where its name is not all that is said."""

    name: str
    limit: Holders = 1
    wait: Duration | None = None


class CompensateSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step's compensation with a policy of its own."""

    run: str
    retry: RetrySpec | None = None
    timeout: Duration | None = None
    isolate: bool = False


class StepSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[workflows.NAME.steps.STEP]``"""

    retry: RetrySpec | None = None
    max_crashes: MaxCrashes | None = None
    lock: str | LockSpec | None = None
    delay: Duration | None = None
    compensate: str | CompensateSpec | None = None
    timeout: Duration | None = None
    idle_timeout: Duration | None = None
    isolate: bool | None = None


class ShellRetrySpec(RetryNumbers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The retry of a step that is a command: what to retry on is always said."""

    on_exit: ExitCode | list[ExitCode]


class ShellCompensateSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The compensation of a step that is a command, where the command is not all that is said."""

    run: str
    timeout: Duration | None = None
    grace: Duration | None = None
    retry: ShellRetrySpec | None = None
    cwd: str | None = None
    env: dict[str, str] = {}
    shell: str | list[str] | None = None


class ApprovalSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person is asked before a command runs, where the prompt is not all that is said."""

    prompt: str
    schema: dict[str, Any] | None = None
    expires: Duration | None = None


class ShellSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[workflows.NAME.steps]]``"""

    name: str
    run: str
    needs: str | list[str] | None = None
    foreach: str | None = None
    when: str | None = None
    timeout: Duration | None = None
    idle_timeout: Duration | None = None
    grace: Duration | None = None
    retry: ShellRetrySpec | None = None
    cwd: str | None = None
    env: dict[str, str] = {}
    shell: str | list[str] | None = None
    max_crashes: MaxCrashes | None = None
    lock: str | LockSpec | None = None
    delay: Duration | None = None
    compensate: str | ShellCompensateSpec | None = None
    approval: str | ApprovalSpec | None = None


class PingSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``ping``, for a monitor that has a URL of its own for each event."""

    start: str | None = None
    success: str | None = None
    failure: str | None = None
    log: str | None = None
    method: Literal["POST", "GET"] = "POST"


class NotifySpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[workflows.NAME.notify]`` and ``[defaults.notify]``; an empty text takes a default back."""

    failed: str | None = None
    completed: str | None = None
    waiting: str | None = None
    interrupted: str | None = None
    missed: str | None = None
    ping: str | PingSpec | None = None
    timeout: Duration | None = None


class RetentionSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[retention]`` and ``[workflows.NAME.retention]``: how long after its end a thread stays."""

    completed: Duration | None = None
    cancelled: Duration | None = None
    failed: Duration | None = None
    checkpoints: Duration | None = None
    keep: Keep | None = None


class ScheduleSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[workflows.NAME.schedule]``"""

    cron: str
    timezone: str | None = None
    start: Any = None  # a date, or a date and time
    end: Any = None
    jitter: Duration | None = None
    catchup: Duration | None = None
    missed: Missed | None = None
    overlap: Overlap | None = None


class WorkflowSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[workflows.NAME]``"""

    graph: str | None = None
    description: str = ""
    thread: str | None = None
    input: dict[str, Any] = {}
    on_change: OnChange = "refuse"
    on_busy: OnBusy | None = None
    timeout: Duration | None = None
    concurrency: Concurrency | None = None
    max_resumes: MaxResumes | None = None
    max_crashes: MaxCrashes | None = None
    notify: NotifySpec = NotifySpec()
    retention: RetentionSpec | None = None
    recover: bool | None = None
    schedule: ScheduleSpec | None = None
    steps: dict[str, StepSpec] | list[ShellSpec] = {}


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[defaults]``: for every workflow of the store, the built-in ones too."""

    max_resumes: MaxResumes = 20
    max_crashes: MaxCrashes = 3
    max_running: MaxRunning | None = None
    timeout: Duration | None = None
    on_busy: OnBusy = "fail"
    concurrency: Concurrency = 4
    retry: RetryNumbers = RetryNumbers()
    notify: NotifySpec = NotifySpec()
    recover: bool = False
    timezone: str | None = None
    catchup: Duration | None = None
    missed: Missed = "latest"
    overlap: Overlap = "skip"


class Logs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[logs]``"""

    max_size: Size | None = None


class Config(Struct, frozen=True, kw_only=True):
    """A whole workflows.toml."""

    defaults: Defaults = Defaults()
    logs: Logs = Logs()
    retention: RetentionSpec | None = None
    secrets: tuple[str, ...] = ()
    workflows: dict[str, WorkflowSpec] = {}
