"""What can go wrong, as classes. The message of each is a sentence for a person.

BatchdError
├── ConfigError              the configuration cannot be used
├── PluginError              a plugin is missing, broken or breaks its contract
├── FileRefused              a dropped file cannot be taken; the sentence goes next to it
├── StateError               the state folder cannot be used
│   ├── StateLocked          another daemon owns it
│   └── StateUnusable        wrong place, newer version, damaged
└── ProviderError            the service did not do what was asked
    ├── TransientError       it may later: wait and ask again; from `submit`: the outcome is unknown
    │   └── NotSent          the same, and the service certainly has not received the call
    ├── RejectedError        it will not until a person acts: key, account, permission
    ├── SubmissionRefused    it will never take this batch as it is
    ├── RemoteMissing        it does not know this batch or file (any more)
    └── CannotFind           it offers no way to look a batch up
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Problem


class BatchdError(Exception):
    """The root. `exit_status` is what a command that ends by this error returns to the shell."""

    exit_status: ClassVar[int] = 1


class ConfigError(BatchdError):
    """The configuration cannot be used: says file, table, key and how to fix it."""

    exit_status = 4


class PluginError(BatchdError):
    """A plugin is missing, broken, or does not keep its contract."""

    exit_status = 4


class FileRefused(BatchdError):
    """A dropped file cannot be taken.

    `code` is for machines (`empty`, `encoding`, `columns`, ...), the message for the person who dropped
    the file: what is wrong, where, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[FileRefused], tuple[str, str]]:
        # Raised in a worker process, so it travels pickled; the default would lose `code`.
        return (type(self), (self.code, str(self)))


class StateError(BatchdError):
    """The state folder cannot be used."""

    exit_status = 5


class StateLocked(StateError):
    """Another daemon owns the state folder."""

    exit_status = 11


class StateUnusable(StateError):
    """The state folder is in the wrong place, from a newer version, or damaged."""


class ProviderError(BatchdError):
    """The service did not do what was asked."""

    exit_status = 5


class TransientError(ProviderError):
    """The service is busy or out of reach: wait and ask again. Nothing is failed for it.

    `retry_after` is the number of seconds the service asked for, if it did. Raised from `submit`, it means
    that the batch may have been created all the same, so batchd waits and looks before it asks again.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotSent(TransientError):
    """A passing fault, and the service certainly has not received the call: it may be repeated at once."""


class RejectedError(ProviderError):
    """The service refuses us until a person acts: a bad key, no permission, an empty account."""


class SubmissionRefused(ProviderError):
    """The service will never take this batch as it is. `problems` says why, line by line where it does."""

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class RemoteMissing(ProviderError):
    """The service does not know this batch or file, or no longer."""


class CannotFind(ProviderError):
    """The service offers no way to look up a batch whose creation was not confirmed."""
