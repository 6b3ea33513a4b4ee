"""What a plugin writes: one small class a role, with one to three methods that it must write.

Every class here is read by plugin authors, so each promise stands in the docstring of the method it binds:
what comes in, what must come out, what may be raised, and what batchd does about it. For all of them:

* The constructor takes the validated `Settings`; there is no need to write one.
* Asynchronous methods may be called many at a time; a cancellation (`asyncio.CancelledError`) passes through.
* Raise `TransientError` when a service is busy, `RejectedError` when a person must act. Any other exception
  is taken for a fault of the plugin: it is named, and what it was working on waits or fails by itself.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict

from .errors import CannotFind
from .events import Event
from .model import BadRow, BatchStatus, Body, Failure, Json, Response, Result, Row, RowStatus, Usage
from .model import Limits as Limits  # a part of BatchProvider's contract, and wanted where pydantic is not


class Settings(BaseModel):
    """The table of a plugin in config.toml. Subclass it, nested as `Settings`; unknown keys are refused.

    Use `batchd.Secret` for anything that must not be seen and `batchd.Duration` for times such as `"30s"`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


SettingsT = TypeVar("SettingsT", bound=Settings)


class Plugin(ABC, Generic[SettingsT]):
    """What every role shares: settings in, `self.settings` to read them from."""

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings


# --- Reader ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A dropped file, safe in the spool. `name` is what it was called in the inbox, for suffix and messages."""

    path: Path
    name: str

    def open(self) -> IO[bytes]:
        """Open it for reading. Everything a Reader needs goes through here or `path`."""
        return self.path.open("rb")

    @property
    def suffix(self) -> str:
        """The name's last suffix in lower case, with the dot: `.csv`."""
        return os.path.splitext(self.name)[1].lower()


class Reader(Plugin[SettingsT]):
    """Turns one file format into rows. Runs in a worker process."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """The suffixes this reader takes, lower case with the dot. Two readers may not claim the same one."""

    @abstractmethod
    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """Yield the column names once, then each row's values in their order.

        A generator. The names are non-empty and unique; each row has exactly as many values, of JSON types. A
        record that cannot be a row is yielded as a `BadRow` and fails alone. A file that cannot be read at all
        is a `FileRefused(code, sentence)`. Memory must not grow with the file. Called again after a crash, it
        yields the same.
        """

    def describe(self) -> Mapping[str, Json]:
        """What was found out about the file while reading (`encoding`, `delimiter`), for the report."""
        return {}


# --- PromptBuilder ---------------------------------------------------------------------------------------------


class PromptBuilder(Plugin[SettingsT]):
    """Asks about a row, and reads the answer. Runs in worker processes."""

    columns: Sequence[str] = ("answer",)
    """The columns that `parse` fills, in order."""

    endpoints: Sequence[str] = ()
    """The endpoints that its bodies are for, such as `("/v1/chat/completions",)`; empty if it does not matter.

    A route with another endpoint is refused when the configuration is read, as a service would refuse each row.
    """

    unique: str | None = None
    """A column by which the person who dropped the file tells the answers apart; a row that has there what an earlier
    row has fails alone, unasked.
    """

    @abstractmethod
    def build(self, row: Row) -> Body | Failure:
        """The body of the request for this row, without `model` and the route's `params`, which batchd adds.

        A key in the body wins over the same key of the route. A row that cannot be asked about is a
        `Failure`: it fails alone and costs nothing. Must give the same body for the same row, always.
        """

    def needs(self) -> Iterable[str]:
        """The columns a file must have to be asked about; a file without them is refused in words."""
        return ()

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        """The answer's columns, out of the response. A `Failure(transient=True)` is asked again.

        By default the text as it is, in `answer`. Called only for answers with text or a tool call.
        """
        text = response.text
        if text is None:
            return Failure("no_text", "The model answered without any text.", transient=True)
        return {"answer": text}

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        """The encoded bodies (one JSON object each, no newline in it) of many rows, in order.

        `common` is what the route adds. Override it only to be faster; the conformance kit compares it with
        `build`.
        """
        encoder = msgspec.json.Encoder()
        for row in rows:
            body = self.build(row)
            yield body if isinstance(body, Failure) else encoder.encode({**common, **body})


# --- Providers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch on its way to the provider.

    `key` is ours and never used again; `file` holds one request a line, in OpenAI's batch format:
    `{"custom_id", "method", "url", "body"}`. `upload` is what `upload` returned for it, if it was called.
    `attempt` counts the uploads, from 1.
    """

    key: str
    file: Path
    requests: int
    size: int
    model: str
    endpoint: str
    attempt: int = 1
    upload: str | None = None
    timeout: float = 60.0

    def requests_in_file(self) -> Iterator[dict[str, Json]]:
        """The requests, decoded, one at a time."""
        decoder = msgspec.json.Decoder(dict[str, Any])
        with self.file.open("rb") as lines:
            for line in lines:
                yield decoder.decode(line)


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch that the provider has: its `id` there, our `key`, and the `details` of its last status."""

    id: str
    key: str
    details: Mapping[str, Json]


class BatchProvider(Plugin[SettingsT]):
    """A service that takes many requests at once and answers hours later."""

    limits: Limits = Limits()

    completion_window: float = 86_400.0
    """Seconds that the service may take for a batch, by its own word. One that does not move any more is cancelled
    long after that, never before."""

    @abstractmethod
    async def submit(self, submission: Submission) -> str:
        """Create the batch; return the provider's id of it. This is the call that costs money.

        It must make the call at most once: no retries inside, and within `submission.timeout` seconds. Raise
        `NotSent` only when the service certainly has not received it, `SubmissionRefused` when it was
        received and refused, `RejectedError` for a bad key. After anything else batchd takes it that the
        batch may exist, waits three times the timeout, and asks `find`.
        """

    @abstractmethod
    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """What the provider says of the batch now. `RemoteMissing` if it does not know it."""

    @abstractmethod
    def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        """Every answer that there is, in any order, after the batch has ended (however it ended).

        An asynchronous generator. Rows left out are asked again, so leave out what is not known.
        """

    async def upload(self, submission: Submission) -> str | None:
        """Send the input file ahead; what is returned is kept before `submit` is called with it.

        May be called again for the same `key` when its answer was lost; uploading costs nothing.
        """
        return None

    async def find(self, submission: Submission) -> Sequence[str]:
        """The ids of all batches made from this submission, oldest first, by its `upload` or its `key`.

        Asked when the outcome of `submit` is not known. An empty answer must mean that there is none: look
        through every page. Raise `CannotFind` (the default) where the service cannot tell; the batch is then
        held for a person.
        """
        raise CannotFind("This provider cannot look up a batch.")

    async def cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to stop working on it; what is answered already is fetched all the same."""

    async def forget(self, submission: Submission) -> None:
        """The batch is done or will never be: delete what `upload` left at the service, if anything."""

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """Write every answer to `target`, one JSON line each in OpenAI's batch output format.

        By default the `results`. Override it to stream bytes. After any exception batchd asks again later, from
        the start; only when it has been `RemoteMissing` for an hour does it make do with what was written.
        """
        async for result in self.results(batch):
            target.write(encode_result(result))

    async def aopen(self) -> None:
        """Make ready what takes long, such as an import. Called once when batchd starts, while it does other things.

        No other call comes before it is done. What it raises is not heard: the first call that needs it will say so.
        """

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """Call the service with the key and these models; return what is wrong and how to fix it, a sentence each."""
        return ()

    async def aclose(self) -> None:
        """Let go of connections. Called once, at the end."""


class LiveProvider(Plugin[SettingsT]):
    """A service that answers one request at a time, at once."""

    @abstractmethod
    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        """Answer one request. A refused request is a `Failure` in the Result, a busy service a `TransientError`."""

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """As for a BatchProvider."""
        return ()

    async def aclose(self) -> None:
        """Let go of connections. Called once, at the end."""


def encode_result(result: Result) -> bytes:
    """A Result as a line of OpenAI's batch output format, newline included."""
    outcome = result.outcome
    if isinstance(outcome, Response):
        line: Body = {
            "custom_id": result.custom_id,
            "response": {"status_code": outcome.status_code, "body": outcome.body},
            "error": None,
        }
    else:
        error = {"code": outcome.code, "message": outcome.message, "transient": outcome.transient}
        line = {"custom_id": result.custom_id, "response": None, "error": error}
    try:
        return msgspec.json.encode(line) + b"\n"
    except UnicodeEncodeError:
        # Half of a surrogate pair: read by Python's own json, written by nothing else, and repaired where it is joined.
        return json.dumps(line).encode() + b"\n"


# --- Sink ------------------------------------------------------------------------------------------------------


class ResultRow(msgspec.Struct, frozen=True):
    """One row of the dropped file with its outcome.

    `values` are the input's, in the order of its columns and as many; `original` is the record as it was
    read, which differs where a record had too few or too many cells. `answer` is in the order of
    `ResultRows.answer_columns` and empty unless `status` is ok. `raw` is the provider's own output line (JSON)
    where there was one.
    """

    number: int
    values: Sequence[Json]
    original: Sequence[Json]
    status: RowStatus
    answer: Sequence[Json]
    failure: Failure | None
    usage: Usage | None
    raw: bytes | None


class ResultRows(Iterable[ResultRow], AsyncIterable[ResultRow], ABC):
    """All rows of a job in input order. May be gone through again and again; always the same.

    `for` in a thread, `async for` on the event loop (which reads ahead in a thread).
    """

    columns: Sequence[str]
    """The input's columns."""
    answer_columns: Sequence[str]
    """The answer's columns, renamed where the input has a column of that name."""


class Outbox(ABC):
    """Where a sink puts files for people. Names are taken care of: nothing is ever overwritten."""

    @abstractmethod
    def publishing(self, suffix: str) -> AbstractContextManager[IO[bytes]]:
        """Write the job's file with this suffix (`.results.csv`): whole or not at all.

        A context manager around a binary file. The file appears in the outbox when the block ends well, and
        never if it does not.
        """


@dataclass(frozen=True, slots=True)
class DeliveryJob:
    """The job that a sink publishes. `source` is the file's path in the inbox, `counts` its rows by status."""

    id: str
    source: str
    route: str
    provider: str
    model: str
    sha256: str
    counts: Mapping[RowStatus, int]
    outbox: Outbox


class Sink(Plugin[SettingsT]):
    """Puts a job's joined rows somewhere."""

    @abstractmethod
    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        """Publish the whole job. May be called again for the same job after a crash; must then not differ.

        Do long work in a thread (`asyncio.to_thread`): the event loop must not stand still. A raised
        `TransientError` or `OSError` is tried again later; anything else is tried again too, and named.
        """

    async def check(self) -> Sequence[str]:
        """What is wrong with where this sink writes to, a sentence each."""
        return ()

    async def aclose(self) -> None:
        """Let go of connections. Called once, at the end."""


# --- Observer --------------------------------------------------------------------------------------------------


class Observer(Plugin[SettingsT]):
    """Is told what happened, after it was committed: notifications, metrics, audit."""

    @abstractmethod
    async def notice(self, event: Event) -> None:
        """One event. What it raises is logged, and changes nothing. Events of before a crash are not repeated."""
