"""What differs from service to service, as data and as functions that make no calls.

Each dialect names the pages that it comes from. Unverified means that no page of the service says it; batchd then does
what is safe either way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import quote

from batchd import BatchStatus, Json, Limits, Submission, read_id

from .splitter import Item


class Dialect(ABC):
    """How a service of this kind is called, and what its answers mean."""

    name: ClassVar[str]
    base_url: ClassVar[str]
    """The service's own address."""
    key: ClassVar[str]
    """Where its key is read by default."""
    limits: ClassVar[Limits]
    window: ClassVar[float]
    """Seconds in which the service promises to finish."""
    batches: ClassVar[str] = "/batches"
    files: ClassVar[str] = ""
    """Where the file of requests is uploaded first; empty if the requests are in the create call."""
    cancel: ClassVar[str | None]
    """What follows a batch's address in the call that cancels it; None if the service has no such call."""
    deletes: ClassVar[bool] = True
    """Whether the service deletes a batch with its requests and answers."""
    kept: ClassVar[str] = ""
    """If it does not, what is left of a batch, as a sentence."""
    listed: ClassVar[str] = "data"
    """The name of the list in a list of batches."""
    answer_query: ClassVar[Mapping[str, str]] = {}
    answers: ClassVar[str] = ""
    """What follows a batch's address in the call for its answers; empty if they are in the batch itself."""
    more_answers: ClassVar[str] = ""
    """What follows it in a second call, for answers that the first one lacks; empty if there is no such call."""
    has_status: ClassVar[bool] = True
    """Whether a batch has a `status`."""
    answer_lists: ClassVar[tuple[str, ...]]
    """The names of the lists that hold answers."""

    @abstractmethod
    def create_body(self, submission: Submission) -> Mapping[str, Json]:
        """The members of the create call, without the requests, which come after these."""

    @abstractmethod
    def status(self, record: Mapping[str, Json]) -> BatchStatus:
        """The state of a batch, from what the service says of it."""

    @abstractmethod
    def line(self, item: Item, key: str) -> bytes | None:
        """The output line, without a newline, for one item of a list of answers; None if it names no request.

        `key` is batchd's key of the batch.
        """

    @abstractmethod
    def is_of(self, record: Mapping[str, Json], submission: Submission) -> bool | None:
        """Whether a batch in the list was made from this submission; None if only its answers could tell."""

    @abstractmethod
    def next_batches(self, page: Mapping[str, Json], query: Mapping[str, str]) -> Mapping[str, str] | None:
        """The query for the next page of batches, after this one; None after the last."""

    def first_batches(self) -> Mapping[str, str]:
        """The query for the first page of batches."""
        return {"limit": "100"}

    def next_answers(self, page: Mapping[str, Json]) -> Mapping[str, str] | None:
        """The query for the next page of answers; None after the last."""
        return None

    def answer_files(self, record: Mapping[str, Json], written: int) -> Iterator[str]:
        """The files with further answers, after `written` answers have been written."""
        return iter(())

    def prefix(self, key: str) -> str:
        """What precedes each custom_id in a batch with this key of batchd's."""
        return ""


MAX_PAGES = 2_000
"""A list with more pages is taken to be endless."""
MAX_MESSAGE = 2_000
"""Letters of a service's message that are kept."""


def table(value: Json) -> Mapping[str, Json]:
    """The object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def id_of(record: Mapping[str, Json]) -> str | None:
    """The id of a batch or file."""
    return read_id(record.get("id")) or read_id(record.get("batch_id"))


def batch_path(dialect: Dialect, remote: str) -> str:
    """The path of a batch."""
    return dialect.batches + segment(remote)


def segment(id_: str) -> str:
    """An id as a part of a path: it may hold a slash, which must not split it."""
    return f"/{quote(id_, safe='')}"


def file_prefix(submission: Submission) -> str:
    """How the names of all uploads of a submission begin."""
    return f"batchd-{submission.key}-"
