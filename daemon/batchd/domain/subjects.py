"""The subject of a condition: a provider, a job, a sink, the inbox … Compared as a value, shown and stored as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class SubjectKind(Enum):
    """The kinds of subjects; the value is the text before the subject's name."""

    PROVIDER = "provider "
    JOB = "job "
    SINK = "sink "
    BATCH = "batch "
    CANCELLING = "cancelling batch "
    """Separate from BATCH, whose polls succeed meanwhile."""
    PACKING = "batches for "
    """Separate from PROVIDER: packing does not call the provider, so its success says nothing about the provider."""
    PAUSE = "pause of "
    """What a person has paused: `everything`, `provider NAME` or `route NAME`."""
    HOURS = "sending hours of route "
    """A route that does not send at this hour."""
    DEADLINE = "deadline of job "
    """A job that would be late, and cannot be asked in another way."""
    FALLBACK = "fallback of job "
    """A job whose provider is down, and that cannot be asked elsewhere."""
    ORDER = "order "
    PLUGIN = "plugin "
    OBSERVER = "observer "
    INBOX = "inbox"
    INBOX_FILE = "inbox/"
    INBOX_REST = "the rest of the inbox"
    DISK = "disk"
    WORKERS = "workers"
    """The workers as a whole: no task can run at present."""
    RETENTION = "old files in "
    """Files in outbox, archive or rejected that are to be removed and cannot be."""
    NODE = "node "
    """A machine on which workers could run, but do not."""
    UNKNOWN = ""
    """A subject that another version stored."""


_NAMELESS = frozenset({SubjectKind.INBOX, SubjectKind.INBOX_REST, SubjectKind.DISK, SubjectKind.WORKERS})


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that keeps batchd waiting."""

    kind: SubjectKind
    name: str = ""

    def __str__(self) -> str:
        """For people, and for the database.

        >>> str(Subject.provider("acme"))
        'provider acme'
        """
        return f"{self.kind.value}{self.name}"

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Return the subject with this text.

        >>> Subject.parse("sink csv") == Subject.sink("csv")
        True
        """
        for kind in SubjectKind:
            if kind in _NAMELESS:
                if text == kind.value:
                    return cls(kind)
            elif text.startswith(kind.value):
                return cls(kind, text.removeprefix(kind.value))
        raise AssertionError("every text begins with the empty prefix of UNKNOWN")

    @classmethod
    def provider(cls, name: str) -> Subject:
        """A configured provider as a whole."""
        return cls(SubjectKind.PROVIDER, name)

    @classmethod
    def job(cls, job: str) -> Subject:
        """Work on one job."""
        return cls(SubjectKind.JOB, job)

    @classmethod
    def sink(cls, name: str) -> Subject:
        """A sink that does not publish."""
        return cls(SubjectKind.SINK, name)


INBOX = Subject(SubjectKind.INBOX)
INBOX_REST = Subject(SubjectKind.INBOX_REST)
DISK = Subject(SubjectKind.DISK)
WORKERS = Subject(SubjectKind.WORKERS)


EVERYTHING = "everything"
"""What is paused if neither a provider nor a route is named."""


def subjects_of(job: str, *, provider: str, route: str, sinks: Iterable[str], batches: Iterable[str]) -> list[Subject]:
    """The subjects that can keep a job waiting, the most specific first."""
    return [
        Subject.job(job),
        *(Subject(SubjectKind.BATCH, key) for key in batches),
        *(Subject.sink(name) for name in sinks),
        *(Subject(SubjectKind.PAUSE, what) for what in (f"route {route}", f"provider {provider}", EVERYTHING)),
        Subject(SubjectKind.HOURS, route),
        Subject.provider(provider),
        Subject(SubjectKind.DEADLINE, job),
        Subject(SubjectKind.FALLBACK, job),
        WORKERS,
    ]
