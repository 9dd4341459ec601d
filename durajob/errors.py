"""Every way in which durajob says no.

One tree. A class carries the ``code`` that scripts match on and the ``exit_status``
that the process ends with (``docs/exit-codes.md``); its docstring is its default message.
An instance carries the message, which names the thing and the rule, and a ``hint``, which
is the way out. Errors of drivers, of the operating system and of users' code become one of
these at the boundary where they are met, always ``raise … from`` their cause.

    DurajobError
    ├── UsageError                 2   usage
    │   ├── InvalidThreadId            invalid_thread_id
    │   ├── AmbiguousThread            ambiguous_thread
    │   └── AmbiguousQuestion          ambiguous_question
    ├── InputError                65   bad_input
    │   ├── InputDiffers               input_differs
    │   ├── AnswerUnfit                answer_unfit
    │   ├── AnswerDiffers              answer_differs
    │   ├── QuestionExpired            question_expired
    │   ├── DefinitionChanged          definition_changed
    │   ├── UpdateUnfit                update_unfit
    │   ├── StepSettled                step_settled
    │   └── ThreadEnded                thread_ended
    ├── NotFound                  66   not_found
    │   ├── WorkflowNotFound           workflow_not_found
    │   ├── ThreadNotFound             thread_not_found
    │   ├── StepNotFound               step_not_found
    │   ├── CheckpointGone             checkpoint_gone
    │   ├── QuestionNotFound           question_not_found
    │   ├── InputFileNotFound          input_file_not_found
    │   └── EnvironmentGone            environment_gone
    ├── StoreError                69   store_unavailable
    │   ├── NoStore                    no_store
    │   ├── StoreDamaged               store_damaged
    │   ├── StoreNewer                 store_newer
    │   ├── StoreWentBack              store_went_back
    │   └── SqliteTooOld               sqlite_too_old
    ├── InternalError             70   internal
    ├── ThreadExists              73   thread_exists
    ├── StorageError              74   storage
    │   ├── DiskFull                   disk_full
    │   └── StoreReadOnly              read_only
    ├── Busy                      75   busy
    ├── OwnershipLost             76   ownership_lost
    ├── UnsafePermissions         77   permission_denied
    ├── ConfigError               78   bad_config
    │   └── TargetError                bad_target
    └── StepFault                  1   step_fault  (a step did what no step may do)
        ├── CrashLoop                  crash_loop
        ├── ResultNotStorable          result_not_storable
        ├── EffectInDoubt              effect_in_doubt
        ├── ApprovalExpired            approval_expired
        ├── UnusableResult             unusable_result
        └── UnknownNextStep            unknown_next_step
"""

from __future__ import annotations

from typing import ClassVar


class DurajobError(Exception):
    """Something went wrong in durajob."""

    code: ClassVar[str] = "internal"
    exit_status: ClassVar[int] = 70

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").splitlines()[0]
        self.hint = hint
        super().__init__(self.message)


class UsageError(DurajobError):
    """The command line cannot be understood."""

    code = "usage"
    exit_status = 2


class InvalidThreadId(UsageError):
    """The thread id breaks the rule for thread ids."""

    code = "invalid_thread_id"


class AmbiguousThread(UsageError):
    """More than one thread id begins like this."""

    code = "ambiguous_thread"


class AmbiguousQuestion(UsageError):
    """More than one question of the thread could be meant."""

    code = "ambiguous_question"


class InputError(DurajobError):
    """The input is not a JSON object that durajob can take."""

    code = "bad_input"
    exit_status = 65


class InputDiffers(InputError):
    """The thread was started with other input."""

    code = "input_differs"


class AnswerUnfit(InputError):
    """The answer does not fit what was asked."""

    code = "answer_unfit"


class AnswerDiffers(InputError):
    """The question was answered otherwise."""

    code = "answer_differs"


class QuestionExpired(InputError):
    """The time for an answer is over."""

    code = "question_expired"


class DefinitionChanged(InputError):
    """The thread's checkpoint does not fit today's definition."""

    code = "definition_changed"


class UpdateUnfit(InputError):
    """The step could not have returned these state updates."""

    code = "update_unfit"


class StepSettled(InputError):
    """The step has finished, or was completed or skipped otherwise."""

    code = "step_settled"


class ThreadEnded(InputError):
    """The thread has ended for good."""

    code = "thread_ended"


class NotFound(DurajobError):
    """There is no such thing."""

    code = "not_found"
    exit_status = 66


class WorkflowNotFound(NotFound):
    """There is no such workflow."""

    code = "workflow_not_found"


class ThreadNotFound(NotFound):
    """There is no such thread."""

    code = "thread_not_found"


class StepNotFound(NotFound):
    """There is no such step."""

    code = "step_not_found"


class CheckpointGone(NotFound):
    """The checkpoint is no longer kept."""

    code = "checkpoint_gone"


class QuestionNotFound(NotFound):
    """The thread asks no such question."""

    code = "question_not_found"


class InputFileNotFound(NotFound):
    """There is no such input file."""

    code = "input_file_not_found"


class EnvironmentGone(NotFound):
    """What the thread was started with is no longer there."""

    code = "environment_gone"


class StoreError(DurajobError):
    """The store cannot be reached."""

    code = "store_unavailable"
    exit_status = 69


class NoStore(StoreError):
    """There is no store yet."""

    code = "no_store"


class StoreDamaged(StoreError):
    """The store is damaged."""

    code = "store_damaged"


class StoreNewer(StoreError):
    """The store was written by a newer durajob."""

    code = "store_newer"


class StoreWentBack(StoreError):
    """The store is older than what was last committed to it."""

    code = "store_went_back"


class SqliteTooOld(StoreError):
    """This SQLite library can corrupt a store that several processes write to."""

    code = "sqlite_too_old"


class InternalError(DurajobError):
    """This is a bug in durajob."""


class ThreadExists(DurajobError):
    """The thread already exists."""

    code = "thread_exists"
    exit_status = 73


class StorageError(DurajobError):
    """The store could not be written or read."""

    code = "storage"
    exit_status = 74


class DiskFull(StorageError):
    """The disk is full."""

    code = "disk_full"


class StoreReadOnly(StorageError):
    """The store is read-only."""

    code = "read_only"


class Busy(DurajobError):
    """Another process owns the thread."""

    code = "busy"
    exit_status = 75


class OwnershipLost(DurajobError):
    """Another owner has taken the thread over; nothing more was written."""

    code = "ownership_lost"
    exit_status = 76


class UnsafePermissions(DurajobError):
    """A file or folder of the store may be changed by others."""

    code = "permission_denied"
    exit_status = 77


class ConfigError(DurajobError):
    """workflows.toml cannot be used."""

    code = "bad_config"
    exit_status = 78


class TargetError(ConfigError):
    """The workflow's target does not load."""

    code = "bad_target"


class StepFault(DurajobError):
    """A step did what no step may do."""

    code = "step_fault"
    exit_status = 1


class CrashLoop(StepFault):
    """A step has killed its process too often in a row."""

    code = "crash_loop"


class ResultNotStorable(StepFault):
    """A step returned what cannot be stored."""

    code = "result_not_storable"


class EffectInDoubt(StepFault):
    """An effect was begun before a crash, and whether it was done is not known."""

    code = "effect_in_doubt"


class ApprovalExpired(StepFault):
    """Nobody has answered in time."""

    code = "approval_expired"


class UnusableResult(StepFault):
    """A step returned what is no update of the state."""

    code = "unusable_result"


class UnknownNextStep(StepFault):
    """A step or router named a next step that the workflow does not have."""

    code = "unknown_next_step"
