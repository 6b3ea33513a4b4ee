"""What goes wrong for a program that uses batchd. Each message is a sentence of the daemon, or says what to do.

ClientError
├── NotReachable         no daemon answers
├── NotAllowed           the token is missing, wrong, or lets its bearer read alone
├── PackageMissing       pandas or polars is not installed
├── NothingToSend        there is not one row
├── RequestRefused       the daemon does not do what was asked; `status` is that of HTTP
│   ├── NoSuchRoute      the message lists the routes that there are
│   └── NoSuchJob
└── JobTrouble           a job does not get its results; `job` is its status
    ├── JobIsHeld          a person must approve it, or decide about a batch
    ├── JobWasRejected      its file cannot be read
    ├── JobStopped       it cannot go on until a person acts
    └── WaitedTooLong    it is under way still (a TimeoutError, too)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BatchdError

if TYPE_CHECKING:
    from .values import JobStatus


class ClientError(BatchdError):
    """The base class."""


class NotReachable(ClientError):
    """No daemon answers. What it works on goes on once it runs again."""

    exit_status = 5


class NotAllowed(ClientError):
    """The token is missing or wrong, or lets its bearer read alone."""


class PackageMissing(ClientError, ImportError):
    """A package for tables is not installed."""


class NothingToSend(ClientError, ValueError):
    """There is not one row, or no table that could be sent."""


class RequestRefused(ClientError):
    """The daemon does not do what was asked. `status` is the status of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NoSuchRoute(RequestRefused):
    """There is no route of this name, or it is not clear which is meant. The message lists those that there are."""


class NoSuchJob(RequestRefused):
    """There is no such job."""


class JobTrouble(ClientError):
    """A job does not get its results by itself. `job` is its status."""

    def __init__(self, message: str, job: JobStatus) -> None:
        super().__init__(message)
        self.job = job


class JobIsHeld(JobTrouble):
    """A person must approve the job, or decide about one of its batches. It is not lost; wait again afterwards."""

    exit_status = 6


class JobWasRejected(JobTrouble):
    """The file of the job cannot be read."""


class JobStopped(JobTrouble):
    """The job cannot go on until a person has acted and ordered a retry."""


class WaitedTooLong(JobTrouble, TimeoutError):
    """The job is under way still. It goes on; wait again."""
