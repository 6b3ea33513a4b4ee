"""The exceptions of batchd. The message of each is a sentence for a person.

BatchdError
├── ConfigError              the configuration cannot be used
├── PluginError              a plugin is missing, broken or breaks its contract
├── FileRefused              a dropped file cannot be processed; the sentence goes next to it
├── WorkerLost               a worker process died during a task
│   └── NodeLost             its whole machine went away; the task is not the cause
├── StateError               the state folder cannot be used
│   ├── StateLocked          another daemon uses it
│   └── StateUnusable        wrong place, newer version, damaged
└── ProviderError            the service did not do what was asked
    ├── TransientError       it may later: wait and try again; from `submit`: the outcome is unknown
    │   ├── NotSent          the same, and the service certainly has not received the call
    │   └── TooManyCalls     the same, since we call too often: it has not worked on this one
    ├── RejectedError        it will not until a person acts: key, account, permission
    ├── SubmissionRefused    it will never accept this batch unchanged
    ├── RemoteMissing        it does not know this batch or file (any more)
    ├── CannotFind           it has no way to look a batch up
    └── NotKnownYet          it cannot tell yet whether a batch exists, and will
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Problem


class BatchdError(Exception):
    """The base class. `exit_status` is the exit status of a command that ends with this error."""

    exit_status: ClassVar[int] = 1


class ConfigError(BatchdError):
    """The configuration cannot be used. The message has file, table, key and how to fix it."""

    exit_status = 4


class PluginError(BatchdError):
    """A plugin is missing, broken, or does not keep its contract."""

    exit_status = 4


class FileRefused(BatchdError):
    """A dropped file cannot be processed.

    `code` is for programs (`empty`, `encoding`, `columns`, ...), the message for the person who dropped the file:
    what is wrong, where, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[FileRefused], tuple[str, str]]:
        # Raised in a worker process and pickled on its way back; the default would lose `code`.
        return (type(self), (self.code, str(self)))


class WorkerLost(BatchdError):
    """A worker process died during a task. After the third time batchd stops working on the part.

    `where` says which code of a plugin ended the process, if that is known.
    """

    where: str = ""


class NodeLost(WorkerLost):
    """The machine that ran a task went away. The task is not the cause; batchd tries it again."""


class StateError(BatchdError):
    """The state folder cannot be used."""

    exit_status = 5


class StateLocked(StateError):
    """Another daemon uses the state folder."""

    exit_status = 11


class StateUnusable(StateError):
    """The state folder is in the wrong place, from a newer version, or damaged."""


class ProviderError(BatchdError):
    """The service did not do what was asked."""

    exit_status = 5


class TransientError(ProviderError):
    """The service is busy or cannot be reached: batchd waits and tries again. No row fails because of it.

    `retry_after` is the number of seconds that the service asked to wait, None if it did not. Raised from `submit`,
    it means that the batch may have been created, so batchd waits and looks for it before it submits again.
    `answered` says that the service did answer, so it no longer works on the call.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, answered: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.answered = answered


class NotSent(TransientError):
    """A temporary fault, and the service certainly has not received the call: it may be repeated at once."""


class TooManyCalls(TransientError):
    """The service takes no more calls at the moment, such as with status 429. It has not worked on this one.

    `limit` says what is used up, if the service told. batchd calls more slowly, and no row fails because of it.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, limit: Literal["requests", "tokens"] | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after, answered=True)
        self.limit = limit


class RejectedError(ProviderError):
    """The service refuses us until a person acts: a bad key, no permission, an empty account.

    `no_batches` says that the service does not know the call, an upload or a create, so nothing was created. With
    `mode = "auto"` batchd then finds out again whether the provider has batches, and its jobs may go on by live calls.
    """

    def __init__(self, message: str = "", *, no_batches: bool = False) -> None:
        super().__init__(message)
        self.no_batches = no_batches


class SubmissionRefused(ProviderError):
    """The service will never accept this batch unchanged. `problems` are the reasons that it gave, if any."""

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class RemoteMissing(ProviderError):
    """The service does not know this batch or file (any more)."""


class CannotFind(ProviderError):
    """The service has no way to look up a batch whose creation was not confirmed."""


class NotKnownYet(ProviderError):
    """The service cannot tell yet whether a batch exists: it shows what a batch holds only once the batch has ended."""
