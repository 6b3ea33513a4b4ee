"""The base classes of plugins: one per role, each with one to three abstract methods.

The docstring of each method is its contract: its arguments, its result, the exceptions it may raise, and how batchd
reacts to them. For all classes:

* The constructor takes the validated `Settings`; there is no need to write one.
* Asynchronous methods may be called concurrently. Let a cancellation (`asyncio.CancelledError`) through.
* Raise `TransientError` when a service is busy, `RejectedError` when a person must act. batchd treats any other
  exception as a fault of the plugin: messages name the plugin, and only the work in hand waits or fails.
"""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar

import msgspec

from .bodies.thinking import without_thinking
from .calls import LiveAnswer as LiveAnswer
from .calls import LiveCall as LiveCall
from .errors import CannotFind
from .model import BadRow, BatchStatus, Body, Dialect, Failure, Json, Response, Result, Row
from .model import Limits as Limits  # part of BatchProvider's contract; in model, which does not import pydantic
from .model import Purged as Purged
from .model import RemoteBatch as RemoteBatch
from .model import Submission as Submission
from .plugin_base import Plugin as Plugin
from .plugin_base import Settings as Settings
from .plugin_base import SettingsT as SettingsT
from .secrets.references import facts_of
from .sinks import DeliveryJob as DeliveryJob
from .sinks import Outbox as Outbox
from .sinks import Receipt as Receipt
from .sinks import ResultRow as ResultRow
from .sinks import ResultRows as ResultRows
from .sinks import Sink as Sink

if TYPE_CHECKING:
    from .events import Event  # some fifty classes, which workers do not need

# --- Reader ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """A dropped file, now at `path` in the working files. `name` is its name in the inbox, for suffix and messages."""

    path: Path
    name: str

    def open(self) -> IO[bytes]:
        """Open the file for reading. A Reader opens its file by this method or by `path`."""
        return self.path.open("rb")

    @property
    def suffix(self) -> str:
        """The last suffix of the name, in lower case, with the dot: `.csv`."""
        return os.path.splitext(self.name)[1].lower()


class Reader(Plugin[SettingsT]):
    """Turns one file format into rows. Runs in a worker process."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """The suffixes this reader reads, in lower case with the dot. Two readers may not have the same one."""
    only_if_named: ClassVar[bool] = False
    """Whether batchd takes its files only where a route names them in `formats`: such files may also be notes."""

    @abstractmethod
    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """A generator: yield the column names once, then the values of each row in the order of the columns.

        The names are non-empty and unique. Each row has exactly as many values, of JSON types. Yield a `BadRow`
        for a record that cannot be a row; it fails alone. Raise `FileRefused(code, sentence)` for a file that
        cannot be read at all. Memory must not grow with the file. Called again after a crash, it must yield the
        same.
        """

    def read_many(self, source: Source) -> Iterator[Sequence[Sequence[str] | Sequence[Json] | BadRow]]:
        """The same as `read`, many at a time: first a list with the names alone, then lists of rows.

        Override this only for speed: batchd then calls it instead. The conformance kit compares it with `read`.
        """
        for record in self.read(source):
            yield [record]

    def describe(self) -> Mapping[str, Json]:
        """Facts about the file, known after reading (`encoding`, `delimiter`), for the report."""
        return {}

    def dialect(self) -> Dialect | None:
        """How the file is written, known after reading, so that sinks can write the same form; None if not known."""
        return None


# --- PromptBuilder ---------------------------------------------------------------------------------------------


class PromptBuilder(Plugin[SettingsT]):
    """Builds the request for a row, and reads the answer. Runs in worker processes."""

    columns: Sequence[str] = ("answer",)
    """The columns that `parse` fills, in order."""

    endpoints: Sequence[str] = ()
    """The endpoints that its bodies are for, such as `("/v1/chat/completions",)`; empty for any. A route with another
    endpoint is an error in the configuration."""

    sets: Sequence[str] = ()
    """Keys that `build` sets. The route's `params` must not have them, since the builder's values would win."""

    unique: str | None = None
    """A column whose values must differ, such as an id. A row that repeats a value fails alone, and costs nothing."""

    @abstractmethod
    def build(self, row: Row) -> Body | Failure:
        """The body of the request for this row, without `model` and the route's `params`, which batchd adds.

        A key in the body wins over the same key of the route. Return a `Failure` for a row that no request can be
        made for: it fails alone and costs nothing. The same row must always give the same body.
        """

    def needs(self) -> Iterable[str]:
        """The columns that a file must have. batchd refuses a file without them, and names them in the message."""
        return ()

    def uses(self) -> Iterable[str] | None:
        """The columns that the question uses, also those that a file need not have; None if you cannot say.

        batchd does not ask a row in which all of these are empty, unless the route says `empty_rows = "ask"`. With
        None, the default, it leaves out only rows in which all cells are empty.
        """
        return None

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        """Map each of `columns` to its value in the response. After a `Failure(transient=True)` batchd asks again.

        By default `answer` is the text without the model's thinking. Called only for whole answers: for one that was
        cut, filtered or broken off, the row gets `response.failure` without a call.
        """
        text = response.answer
        if text is None:
            return Failure("no_text", "The model answered without any text.", transient=True)
        return {"answer": text}

    def parse_many(self, texts: Iterable[str]) -> Iterator[list[Json] | None]:
        """The same for many answers, in order: yield the values of `columns`, or None to have `parse` read this one.

        Each text is a whole answer as the model wrote it, with its thinking. Override this only for speed, together
        with `parse`: if a class overrides `parse` alone, batchd calls that alone. The conformance kit compares both.
        """
        for text in texts:
            answer = without_thinking(text)
            yield [answer if column == "answer" else None for column in self.columns]

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        """Yield the bodies of many rows, in order, encoded: each is one JSON object without a newline.

        `common` has the keys that the route adds. Override this only for speed; the conformance kit compares it with
        `build`.
        """
        encoder = msgspec.json.Encoder()
        for row in rows:
            body = self.build(row)
            yield body if isinstance(body, Failure) else encoder.encode({**common, **body})

    def pattern(self, cell: Callable[[str], str]) -> Body | None:
        """The body that `build` makes for every row, with `cell("column")` in place of the text of that cell.

        Override this only for speed, if requests differ in nothing but such texts: batchd then writes many at a time
        itself, and calls neither `build` nor `encode`. A cell may stand anywhere in a value, never in a key. Text is
        put in as it is, None as nothing, any other value as JSON. The conformance kit compares it with `build`. By
        default None: each request is built by itself.
        """
        return None


# --- Providers -------------------------------------------------------------------------------------------------


class BatchProvider(Plugin[SettingsT]):
    """A service that takes many requests at once and answers hours later."""

    limits: Limits = Limits()

    completion_window: float = 86_400.0
    """Seconds in which the service promises to finish a batch. batchd cancels a batch that has stopped progressing
    long after this time, never before it."""

    warms_caches: bool = False
    """Whether batchd asks the first row of a job before the others, if its requests ask the service to cache their
    input: the others then find the input in the cache."""

    @abstractmethod
    async def submit(self, submission: Submission) -> str:
        """Create the batch; return the provider's id of it. This is the call that costs money.

        Make the call at most once, without retries, within `submission.timeout` seconds. Raise `NotSent` only if
        the service certainly has not received the call, `SubmissionRefused` if the service has refused it,
        `RejectedError` for a bad key. After any other exception batchd assumes that the batch may exist, waits
        three times the timeout, and calls `find`.
        """

    @abstractmethod
    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """The status of the batch at the provider. Raises `RemoteMissing` if the provider does not know it."""

    @abstractmethod
    def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        """An asynchronous generator of all answers of an ended batch, in any order; none for an unknown outcome."""

    def account(self) -> Mapping[str, str]:
        """What identifies the account at the service, each value by its name: the key, a project, the address.

        batchd keeps only a keyed fingerprint of each value, beside every batch. If one has changed and the service does
        not know the batch, the batch is held until a person decides: batchd does not ask its rows again by itself. By
        default every secret and every text of the settings. Raises `RejectedError` if a secret cannot be read.
        """
        return facts_of(self.settings)

    async def upload(self, submission: Submission) -> str | None:
        """Send the input file ahead. batchd stores the return value, then calls `submit` with it.

        Called again for the same `key` if its response was lost; uploading costs nothing.
        """
        return None

    async def find(self, submission: Submission) -> Sequence[str]:
        """The ids of all batches made from this submission, oldest first, by its `upload` or its `key`.

        Called when the outcome of `submit` is not known. An empty result must mean that there is none: read every page.
        Raise `NotKnownYet` if the service cannot tell yet; batchd asks again. Raise `CannotFind` (the default) if the
        service cannot look batches up; the batch is then held until a person decides.
        """
        raise CannotFind("This provider cannot look up a batch.")

    async def find_rows(self, submission: Submission) -> Sequence[str]:
        """The ids of all batches with its `rows_key`, whatever their `key`, oldest first: they ask the same rows.

        Called after a restore, since a backup does not know the batches that were created after it. Raise `CannotFind`
        (the default) if the service cannot look batches up by `rows_key`: batchd then compares their answers.
        """
        raise CannotFind("This provider cannot look up a batch by its rows.")

    async def cancel(self, batch: RemoteBatch) -> None:
        """Ask the service to stop working on the batch. batchd still downloads the answers that exist."""

    async def forget(self, submission: Submission) -> None:
        """Delete what `upload` left at the service, if anything: the batch is done, or will never be created."""

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:
        """Delete all files that the service keeps of a batch that is done: input, answers, errors. May be repeated."""
        await self.forget(submission)
        return Purged(problems=(f"its plugin cannot delete answers (batch {batch.id}).",) if batch.id else ())

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """Write every answer to `target`, one JSON line each in OpenAI's batch output format.

        By default writes the `results`. Override it to stream bytes. After any exception batchd calls it again
        later, from the start. Only after an hour of `RemoteMissing` does batchd use what was written until then.
        """
        async for result in self.results(batch):
            target.write(encode_result(result))

    async def aopen(self) -> None:
        """Do slow preparations, such as an import: once, before any other call. batchd ignores what it raises."""

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """Call the service with the key and these models; return what is wrong and how to fix it, a sentence each."""
        return ()

    async def background(self) -> None:
        """Do work beside all calls, such as renewing a token. batchd cancels it before `aclose`.

        batchd logs what it raises, and calls it again after a pause, longer each time. If it returns, it is done.
        """

    async def aclose(self) -> None:
        """Close connections. Called once, at the end."""


class LiveProvider(Plugin[SettingsT]):
    """A service that answers a single request, immediately. A class may be a BatchProvider as well."""

    @abstractmethod
    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        """Send one request and return its Result, with a `Failure` if the service refuses the request.

        Raise `TooManyCalls` if the service takes no more calls for now, `TransientError` to have batchd ask again,
        `RejectedError` otherwise.
        """

    async def answer(self, call: LiveCall) -> LiveAnswer:
        """The same as bytes. This is the method that batchd calls; by default it calls `complete`."""
        result = await self.complete(call.custom_id, msgspec.json.decode(call.body), endpoint=call.endpoint)
        outcome = result.outcome
        if isinstance(outcome, Response):
            return LiveAnswer(outcome.status_code, json.dumps(outcome.body).encode())
        return LiveAnswer(failure=outcome)

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """See `BatchProvider.check`."""
        return ()

    async def aopen(self) -> None:
        """See `BatchProvider.aopen`."""

    async def aopen_live(self) -> None:
        """Called instead of `aopen` if batchd makes only live calls."""
        await self.aopen()

    async def background(self) -> None:
        """See `BatchProvider.background`."""

    async def aclose(self) -> None:
        """Close connections. Called once, at the end."""


def encode_result(result: Result) -> bytes:
    """A Result as a line of OpenAI's batch output format, newline included."""
    outcome = result.outcome
    if isinstance(outcome, Response):
        response: Json = {"status_code": outcome.status_code, "body": outcome.body}
        line: Body = {"custom_id": result.custom_id, "response": response, "error": None}
    else:
        error = {"code": outcome.code, "message": outcome.message, "transient": outcome.transient}
        line = {"custom_id": result.custom_id, "response": None, "error": error}
    try:
        return msgspec.json.encode(line) + b"\n"
    except UnicodeEncodeError:
        # Half of a surrogate pair: only Python's own json reads and writes it. Joining the answers repairs it.
        return json.dumps(line).encode() + b"\n"


# --- Observer --------------------------------------------------------------------------------------------------


class Observer(Plugin[SettingsT]):
    """Gets each event after it was committed: for notifications, metrics, audit.

    A table `[observers.NAME]` makes one, and its `events` choose the events. They come one after the other, in order,
    each at least once. After a crash or an exception, the event that was under way comes again with the same `id`. A
    slow observer delays only itself.
    """

    group_for: float = 0.0
    """Seconds to wait after an event for others, to get them together; 0 to get each event at once, by itself."""

    @abstractmethod
    async def notice(self, event: Event) -> None:
        """Handle one event. Once this has returned, the event does not come again.

        batchd logs an exception and repeats the event after a pause, longer each time; with a `TransientError` you may
        ask for a pause (`retry_after`). After 20 tries, which take about an hour, batchd skips the event. It cancels a
        call that takes more than five minutes and counts it as a try.
        """

    async def notice_all(self, events: Sequence[Event]) -> None:
        """Handle events that came together, 100 at most, in order. If it raises, all of them come again."""
        for event in events:
            await self.notice(event)

    async def aopen(self) -> None:
        """Do what takes long, such as opening a connection. Called before the first event, and again if it raises.

        `batchd check` calls it, too, and shows what it raises.
        """

    async def background(self) -> None:
        """See `BatchProvider.background`."""

    async def aclose(self) -> None:
        """Close connections. Called once at the end, even if `aopen` has failed."""
