"""What goes wrong for a program that uses batchd. Each message is a sentence of the daemon, or says what to do.

ClientError
├── NotReachable         no daemon answers
├── NotAllowed           the token is missing or wrong, or only lets its bearer read
├── PackageMissing       pandas or polars is not installed
├── NothingToSend        there is no row
├── RequestRefused       the daemon refuses the call; `status` is the HTTP status
│   ├── NoSuchRoute      the message lists the routes
│   └── NoSuchJob
└── JobTrouble           a job does not get its results; `job` is its status
    ├── JobIsHeld        a person must approve it, or decide about a batch
    ├── JobWasRejected   its file cannot be read
    ├── JobStopped       it cannot go on until a person acts
    └── WaitedTooLong    it is still under way (a TimeoutError, too)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BatchdError

if TYPE_CHECKING:
    from .values import JobStatus


class ClientError(BatchdError):
    """The base class."""


class NotReachable(ClientError):
    """No daemon answers. Its jobs go on once it runs again."""

    exit_status = 5


class NotAllowed(ClientError):
    """The token is missing or wrong, or only lets its bearer read."""


class PackageMissing(ClientError, ImportError):
    """A package for tables is not installed."""


class NothingToSend(ClientError, ValueError):
    """There is no row, or no table that can be sent."""


class RequestRefused(ClientError):
    """The daemon refuses the call. `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NoSuchRoute(RequestRefused):
    """There is no route of this name, or it is not clear which route is meant. The message lists the routes."""


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
    """The job is still under way. It goes on; wait again."""
