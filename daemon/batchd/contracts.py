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
    """Whether its files are taken only where a route names them in `formats`: notes are files of this kind too."""

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
        """How the file is written, known after reading, for sinks that write rows as they came; None if not as text."""
        return None


# --- PromptBuilder ---------------------------------------------------------------------------------------------


class PromptBuilder(Plugin[SettingsT]):
    """Builds the request for a row, and reads the answer. Runs in worker processes."""

    columns: Sequence[str] = ("answer",)
    """The columns that `parse` fills, in order."""

    endpoints: Sequence[str] = ()
    """The endpoints that its bodies are for, such as `("/v1/chat/completions",)`; empty if any will do. A route with
    another one is an error in the configuration."""

    sets: Sequence[str] = ()
    """Keys of its bodies. The route's `params` must not have them: the builder's own would win."""

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
        """The columns that the question is about, also those that a file need not have; None if you cannot say.

        A row in which they are all empty is not asked, unless the route says `empty_rows = "ask"`. With None, the
        default, only rows are left out in which all cells are empty.
        """
        return None

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        """Column to value for `columns`, from the response. After a `Failure(transient=True)` batchd asks again.

        By default the text without the model's thinking, in `answer`. Called only for whole answers: those that were
        cut, filtered or broken off have a `response.failure`, which the row gets without a call.
        """
        text = response.answer
        if text is None:
            return Failure("no_text", "The model answered without any text.", transient=True)
        return {"answer": text}

    def parse_many(self, texts: Iterable[str]) -> Iterator[list[Json] | None]:
        """The same for the texts of many answers, in order: the values of `columns`, or None where `parse` is to read.

        Each is a whole answer, a text alone as the model wrote it, with its thinking. Override this only for speed,
        together with `parse`: a class that overrides `parse` alone is asked by that alone. The conformance kit
        compares both.
        """
        for text in texts:
            answer = without_thinking(text)
            yield [answer if column == "answer" else None for column in self.columns]

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        """The bodies of many rows, in order, encoded: one JSON object each, without a newline in it.

        `common` is what the route adds. Override this only for speed; the conformance kit compares it with
        `build`.
        """
        encoder = msgspec.json.Encoder()
        for row in rows:
            body = self.build(row)
            yield body if isinstance(body, Failure) else encoder.encode({**common, **body})

    def pattern(self, cell: Callable[[str], str]) -> Body | None:
        """What `build` returns for every row, with `cell("column")` where the text of that cell goes.

        Override this only for speed, where requests differ in nothing but such texts: batchd then writes many at a
        time itself, and calls neither `build` nor `encode`. A cell may stand anywhere within a value, never in a key.
        Its text is itself, empty for None, JSON for a value that is no text. The conformance kit compares it with
        `build`. By default None: each request is built by itself.
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
    """Whether the first row of a job that asks for its input to be kept in a cache is asked before the others, so that
    these find it there."""

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
        """An asynchronous generator of all answers in any order, once the batch has ended; none of unknown outcomes."""

    def account(self) -> Mapping[str, str]:
        """What the service tells accounts apart by, each with its name: the key, a project, the address.

        Of each value batchd keeps a keyed fingerprint beside every batch, and nothing else. Where one has changed and
        the service does not know the batch, the batch waits for a person: nothing is asked again by itself. By default
        every secret and every text of the settings. Raises `RejectedError` if a secret cannot be read.
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
        Raise `NotKnownYet` if only time will tell; it is asked again. Raise `CannotFind` (the default) if the service
        cannot look batches up; the batch is then held until a person decides.
        """
        raise CannotFind("This provider cannot look up a batch.")

    async def find_rows(self, submission: Submission) -> Sequence[str]:
        """The ids of all batches that ask the same rows, under whatever key, oldest first: those of its `rows_key`.

        Called after a backup was restored, which has forgotten the batches that were created since. Raise `CannotFind`
        (the default) if the service cannot look batches up by that: then batchd compares their answers.
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
        """Work beside all calls, such as to renew a token: batchd cancels it before `aclose`.

        What it raises is logged, and it begins again after a pause, longer each time. If it returns, it is done.
        """

    async def aclose(self) -> None:
        """Close connections. Called once, at the end."""


class LiveProvider(Plugin[SettingsT]):
    """A service that answers a single request, immediately. A class may be a BatchProvider as well."""

    @abstractmethod
    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        """Answer one request: a `Failure` in the Result if it is refused.

        Raise `TooManyCalls` if it takes no more for now, `TransientError` to be asked again, `RejectedError` otherwise.
        """

    async def answer(self, call: LiveCall) -> LiveAnswer:
        """The same as bytes, which batchd calls. By default through `complete`."""
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
        """The same where batchd makes nothing but live calls."""
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
    """Seconds to wait after an event for others, so that they come together; 0 to get each by itself, at once."""

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
