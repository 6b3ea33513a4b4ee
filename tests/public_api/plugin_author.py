"""Everything that a plugin's author can import, used as an author would; mypy reads this file, nothing runs it.

`make lint` checks it with the strictest settings. What has to be refused stands behind `type: ignore` with the code
of the error: if the types become so loose that it is not refused any more, the comment is unused, and that is an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar, assert_never, assert_type

import click

import batchd
from batchd import (
    HTTP_ERRORS,
    AnswerTooLarge,
    Archive,
    BadRow,
    BatchdError,
    BatchesFound,
    BatchPhase,
    BatchProvider,
    BatchStatus,
    Body,
    BoundedAnswers,
    CallKind,
    CallRate,
    CannotFind,
    ConfigError,
    DeliveryJob,
    Dialect,
    Duration,
    Event,
    Executor,
    Failure,
    FileRefused,
    FileSink,
    FindsBatches,
    FromFile,
    HeaderValues,
    Hello,
    HttpAnswer,
    HttpBatchProvider,
    HttpCall,
    HttpLiveProvider,
    HttpService,
    HttpSettings,
    Installation,
    Json,
    Limits,
    LiveAnswer,
    LiveCall,
    LiveProvider,
    NetworkFault,
    Node,
    NodeLost,
    NotKnownYet,
    NotSent,
    Observer,
    OptionalPackage,
    Outbox,
    Pacing,
    Page,
    PagedSink,
    PluginError,
    Problem,
    PromptBuilder,
    ProviderError,
    Purged,
    Reader,
    Receipt,
    Register,
    RejectedError,
    RemoteBatch,
    RemoteMissing,
    RequestId,
    Response,
    Result,
    ResultRow,
    ResultRows,
    Row,
    RowStatus,
    Secret,
    Settings,
    Shape,
    SignedPost,
    SignedPostSettings,
    Sink,
    Source,
    Submission,
    SubmissionRefused,
    TooManyCalls,
    TransientError,
    UnpackLimits,
    Usage,
    WorkerLost,
    Workers,
    account_advice,
    arriving,
    cell_text,
    column_names,
    covered,
    describe_node,
    free_names,
    hookimpl,
    read_count,
    read_id,
    read_json_line,
    read_json_together,
    read_moment,
    read_output_line,
    read_problems,
    read_usage,
    refuses_row,
    request_failure,
    retry_after,
    run_task,
    service_tables,
    signature,
    unique_names,
    with_retries,
    without_thinking,
)
from batchd.testing.conformance import (
    BatchProviderConformance,
    CommandConformance,
    ExecutorConformance,
    LiveProviderConformance,
    ObserverConformance,
    PromptBuilderConformance,
    ReaderConformance,
    SinkConformance,
    sample_events,
)

assert_type(batchd.__version__, str)

# --- Reader ----------------------------------------------------------------------------------------------------------


class ColonSettings(Settings):
    """Settings of its own: `self.settings` has this type."""

    comment: str = "#"


class ColonReader(Reader[ColonSettings]):
    """Lines of two texts with a colon between them."""

    Settings = ColonSettings
    suffixes = (".colon",)
    only_if_named = True

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        assert_type(self.settings.comment, str)
        assert_type(source.path, Path)
        assert_type(source.name, str)
        assert_type(source.suffix, str)
        if source.suffix not in self.suffixes:
            raise FileRefused("format", "This is not a file of lines with colons.")
        with source.open() as file:
            assert_type(file, IO[bytes])
            yield ["left", "right"]
            for line in file:
                left, colon, right = line.decode().partition(":")
                if left.startswith(self.settings.comment):
                    continue
                yield [left, right] if colon else BadRow([left], Failure("colon", "There is no colon in this line."))

    def read_many(self, source: Source) -> Iterator[Sequence[Sequence[str] | Sequence[Json] | BadRow]]:
        yield list(self.read(source))

    def describe(self) -> Mapping[str, Json]:
        return {"comment": self.settings.comment}

    def dialect(self) -> Dialect | None:
        return Dialect(delimiter=":", line_end="\n")


def packed(file: IO[bytes]) -> Sequence[str]:
    """The names in a zip archive, whose sizes are limited."""
    archive = Archive(file, UnpackLimits(max_unpacked=1_000_000, max_ratio=50, max_files=10))
    return [member.name for member in archive.members]


assert_type(free_names(["status"], ["status", "error"]), list[str])


class ExampleSettings(Settings):
    """A key that names a file beside the configuration."""

    examples: Annotated[str, FromFile(lambda path: path.read_text("utf-8"))] = ""


class NumbersOfNothing(Reader[Settings]):
    """A reader that yields what cannot be a row."""

    def read(self, source: Source) -> Iterator[int]:  # type: ignore[override]
        yield source.wat  # type: ignore[attr-defined]


# --- PromptBuilder ---------------------------------------------------------------------------------------------------


class Translate(PromptBuilder[Settings]):
    """Asks for a translation."""

    columns = ("translation", "language")
    endpoints = ("/v1/chat/completions",)
    sets = ("messages",)
    unique = "id"

    def build(self, row: Row) -> Body | Failure:
        assert_type(row.number, int)
        assert_type(row.as_dict(), dict[str, Json])
        if not row["text"]:
            return Failure(code="empty", message="There is no text in this row.", transient=False)
        return {"messages": [{"role": "user", "content": row["text"]}]}

    def needs(self) -> Iterable[str]:
        return ["text"]

    def uses(self) -> Iterable[str] | None:
        return ["text", "title"]

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        assert_type(response.text, str | None)
        assert_type(response.refusal, str | None)
        assert_type(response.finish_reason, str | None)
        assert_type(response.usage, Usage | None)
        assert_type(response.status_code, int)
        if response.text is None:
            return Failure("no_text", "The model wrote nothing.", transient=True)
        response.text = "other"  # type: ignore[misc]
        return {"translation": response.text, "language": response.body.get("language")}

    def pattern(self, cell: Callable[[str], str]) -> Body | None:
        return {"messages": [{"role": "user", "content": cell("text")}]}

    def encode(self, rows: Iterable[Row], common: Body) -> Iterator[bytes | Failure]:
        return super().encode(rows, common)

    def parse_many(self, texts: Iterable[str]) -> Iterator[list[Json] | None]:
        for text in texts:
            yield [without_thinking(text), None]


class AsksWithText(PromptBuilder[Settings]):
    """A body is an object and not a text."""

    def build(self, row: Row) -> str:  # type: ignore[override]
        return str(row.values)


class AsksNothing(PromptBuilder[Settings]):
    """One without its one method."""


AsksNothing(Settings())  # type: ignore[abstract]
Translate()  # type: ignore[call-arg]

# --- Providers -------------------------------------------------------------------------------------------------------


class MailSettings(Settings):
    """A service with a key."""

    api_key: Secret
    timeout: Duration = 60.0
    pause: Duration = Duration("500ms")


class MailProvider(BatchProvider[MailSettings]):
    """A service by mail: everything that a provider may have."""

    Settings = MailSettings
    limits = Limits(max_requests=100, max_bytes=1_000_000, max_line_bytes=None, max_enqueued_tokens=10)
    completion_window = 3600.0
    warms_caches = True

    async def background(self) -> None:
        await CallRate(5, per=60.0).turn()
        (self.state_folder / "seen").touch()

    async def submit(self, submission: Submission) -> str:
        key: str = self.settings.api_key.reveal()
        assert_type(self.settings.timeout, float)
        assert_type(submission.upload, str | None)
        assert_type(submission.file, Path)
        if submission.requests > 100 or submission.attempt > 3 or submission.size > 1 << 20:
            problems = [Problem("too_large", "There are too many.", line=1)]
            raise SubmissionRefused("The service takes at most 100.", problems=problems)
        for request in submission.requests_in_file():
            assert_type(request, dict[str, Json])
        if submission.timeout < 1:
            raise NotSent("The line is busy.", retry_after=30.0)
        if not key:
            raise RejectedError(f"There is no key in {self.settings.api_key.where}.")
        return f"{submission.key} {submission.model} {submission.endpoint}"

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        assert_type(batch.details, Mapping[str, Json])
        if batch.id != batch.key:
            raise RemoteMissing("The service does not know it.")
        problems = (Problem(code="bad", message=covered("A line is bad.")),)
        return BatchStatus(
            BatchPhase.FAILED, total=3, completed=1, failed=2, problems=problems, usage=Usage(1, 0, 2), details={"a": 1}
        )

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        assert_type(RequestId.read(batch.key), RequestId | None)
        assert_type(read_output_line(b"{}"), Result | None)
        assert_type(NetworkFault(OSError("It is down.")).nothing_sent, bool)
        assert_type(account_advice("insufficient_quota", "No.", 429), str | None)
        assert_type(refuses_row("context_length_exceeded", "No."), bool)
        assert_type(read_usage({"prompt_tokens": 1}), Usage | None)
        assert_type(read_id("b"), str | None)
        assert_type(read_count("3"), int)
        assert_type(read_moment("2026-11-30"), float | None)
        assert_type(read_problems(["No."]), tuple[Problem, ...])
        yield Result(str(RequestId("k3j9x2ab", 17)), Response({"choices": []}, status_code=200))
        yield Result(custom_id=batch.key, outcome=Failure("server_error", "It broke.", transient=True))

    async def upload(self, submission: Submission) -> str | None:
        return await super().upload(submission)

    async def find(self, submission: Submission) -> Sequence[str]:
        if submission.requests > 1:
            raise NotKnownYet("The letters are not opened yet.")
        raise CannotFind("Letters cannot be looked through.")

    async def find_rows(self, submission: Submission) -> Sequence[str]:
        assert_type(submission.rows_key, str)
        return []

    def account(self) -> Mapping[str, str]:
        return {"project": "reviews"}

    async def cancel(self, batch: RemoteBatch) -> None: ...

    async def forget(self, submission: Submission) -> None: ...

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:
        return Purged(deleted=(batch.id, submission.key), absent=(), problems=())

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        target.write(b"{}\n")

    async def aopen(self) -> None: ...

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        return [f"{model} is not a model." for model in models]

    async def aclose(self) -> None: ...


class PostSettings(HttpSettings):
    """A service at an address."""

    base_url: str = "https://post.example/v1"
    api_key: Secret
    headers: HeaderValues = {}


class PostClient(BoundedAnswers):
    """Takes no parcels."""

    max_answer = 1_000_000

    def judge(self, content: bytearray) -> None:
        if b"parcel" in content:
            raise AnswerTooLarge("more than a letter")


class PostProvider(HttpBatchProvider[PostSettings], HttpLiveProvider[PostSettings]):
    """A service over HTTP: what follows from the bytes that it sends is there."""

    Settings = PostSettings

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        service = HttpService(self.settings.base_url, self.settings.api_key.where, self.settings.api_key.renewal)
        call = HttpCall(f"describe {batch.id}", CallKind.PLAIN, about=batch.id)
        assert_type(service.of_fault(OSError("It is down."), call), BatchdError)
        assert_type(HttpAnswer(200, {}, b"{}").is_page, bool)
        assert_type(self.settings.revealed(self.settings.headers), dict[str, str])
        raise service.key_refused(401, "No.", call)

    async def submit(self, submission: Submission) -> str:
        async def once() -> str:
            return submission.key

        OptionalPackage("Stamps", extra="post", user="provider post").require()
        return await with_retries(Pacing(tries=2, within=1.0), once)

    async def ask_to_cancel(self, batch: RemoteBatch) -> None: ...

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        async with PostClient() as client, client.stream("GET", self.settings.place) as response:
            async for chunk in arriving(response.aiter_bytes(), HTTP_ERRORS, lambda error: TransientError(str(error))):
                target.write(chunk)

    async def answer(self, call: LiveCall) -> LiveAnswer:
        return LiveAnswer()


class ForgetsToWait(BatchProvider[Settings]):
    """Its methods are not asynchronous, or return something else."""

    def submit(self, submission: Submission) -> str:  # type: ignore[override]
        return submission.key

    async def poll(self, batch: RemoteBatch) -> BatchPhase:  # type: ignore[override]
        return BatchPhase.COMPLETED

    async def results(self, batch: RemoteBatch) -> Result:  # type: ignore[override]
        return Result(batch.key, "an answer")  # type: ignore[arg-type]


MailProvider(Settings())  # type: ignore[arg-type]
Limits(max_requests="many")  # type: ignore[arg-type]
BatchStatus("completed")  # type: ignore[arg-type]


class Clerk(LiveProvider[MailSettings], FindsBatches):
    """Answers one request at a time."""

    Settings = MailSettings

    async def background(self) -> None:
        await CallRate(5, per=60.0).turn()
        (self.state_folder / "seen").touch()

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        if endpoint not in body:
            raise TransientError("Nobody is in.", retry_after=None)
        return Result(custom_id, Response(body))

    async def answer(self, call: LiveCall) -> LiveAnswer:
        if call.timeout < 1 or not call.key:
            raise TooManyCalls("Everybody is busy.", retry_after=2.0, limit="requests")
        return LiveAnswer(200, call.body, {"x-kind": call.endpoint}, None)

    async def find_batches(self) -> BatchesFound:
        return BatchesFound(None, "The post office is closed.")

    async def aopen(self) -> None: ...

    async def aopen_live(self) -> None: ...

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        return ()

    async def aclose(self) -> None: ...


def phase(status: BatchStatus) -> bool:
    """The words of the service; a match that forgets one is an error."""
    match status.phase:
        case BatchPhase.VALIDATING | BatchPhase.IN_PROGRESS | BatchPhase.FINALIZING | BatchPhase.CANCELLING:
            return status.phase.ended
        case BatchPhase.COMPLETED | BatchPhase.FAILED | BatchPhase.EXPIRED | BatchPhase.CANCELLED:
            return status.phase.value == "completed"
        case unknown:
            assert_never(unknown)


def one_or_the_other(result: Result) -> str | None:
    """An outcome is a response or a Failure, and a check tells them apart."""
    result.outcome.text  # type: ignore[union-attr]  # noqa: B018 - it must be refused before the check
    if isinstance(result.outcome, Failure):
        return assert_type(result.outcome, Failure).message
    return assert_type(result.outcome, Response).text


# --- Sinks -----------------------------------------------------------------------------------------------------------


class Warehouse(Sink[Settings]):
    """Puts rows somewhere by itself."""

    async def background(self) -> None:
        await CallRate(5, per=60.0).turn()
        (self.state_folder / "seen").touch()

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        assert_type(job.outbox, Outbox)
        assert_type(job.counts, Mapping[RowStatus, int])
        with job.outbox.publishing(".results.txt") as file:
            file.write(f"{job.id} {job.source} {job.route} {job.provider} {job.model} {job.sha256}".encode())
            for row in rows:
                file.write(line(row, [*rows.columns, *rows.answer_columns]))
        async for row in rows:
            assert_type(row, ResultRow)

    async def check(self) -> Sequence[str]:
        return ["The warehouse is full."]

    async def aclose(self) -> None: ...


class Plain(Sink):
    """The same without a word of settings, as small examples write it."""

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt | None:
        assert_type(self.settings, Settings)
        return Receipt(job.source, rows=sum(job.counts.values()))


def line(row: ResultRow, columns: Sequence[str]) -> bytes:
    """A row of results, with all that is known of it."""
    assert_type(row.status, RowStatus)
    assert_type(row.failure, Failure | None)
    assert_type(row.usage, Usage | None)
    assert_type(row.raw, bytes | None)
    row.number = 3  # type: ignore[misc]
    tokens = row.usage.input_tokens + row.usage.cached_tokens + row.usage.output_tokens  # type: ignore[union-attr]
    why = row.failure.message if row.failure else ""
    return f"{row.number} {columns} {row.values} {row.original} {row.answer} {tokens} {why}\n".encode()


class HookSettings(SignedPostSettings):
    """Keys of its own beside those of the address."""

    team: str = "a"


class Hook(PagedSink[HookSettings]):
    """Posts pages, signed."""

    Settings = HookSettings
    page_rows = 100

    def __init__(self, settings: HookSettings) -> None:
        super().__init__(settings)
        self.post = SignedPost(settings)

    async def send(self, page: Page) -> None:
        assert_type(page.rows, Sequence[ResultRow])
        assert_type(page.rows[0].as_dict(), dict[str, Json])
        assert_type([cell_text(cell) for cell in page.rows[0].cells], list[str])
        assert_type(column_names(page.names), list[str])
        assert_type(unique_names(page.names, longest=63), list[str])
        await self.post.send(page.json(), key=f"{self.settings.team}-{page.key}")

    def receipt(self, job: DeliveryJob, rows: int) -> Receipt:
        return Receipt(self.post.where, table=job.route, rows=rows)

    async def aclose(self) -> None:
        await self.post.aclose()


assert_type(signature("secret", b"content", at=0), dict[str, str])
assert_type(retry_after({"retry-after": "3"}), float | None)


class Lines(FileSink[Settings]):
    """Says what a row becomes, and leaves the rest to batchd."""

    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        return {".txt": f"{shape.job} {shape.columns} {shape.answer_columns}\n".encode()}

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        yield from ((".txt", line(row, shape.columns)) for row in rows if row.status is RowStatus.OK)

    def answered(
        self, shape: Shape, rows: Iterable[tuple[Sequence[Json], Sequence[Json]]]
    ) -> Iterator[tuple[str, bytes]] | None:
        return ((".txt", f"{values} {answer}\n".encode()) for values, answer in rows) if shape.columns else None

    def in_one_piece(self, shape: Shape) -> bool:
        return shape.dialect is not None and shape.dialect.form == "xlsx"

    def encoders(self, shape: Shape) -> Mapping[str, Callable[[str], bytes]]:
        return {".txt": str.encode}

    find_other = None


class LinesOfText(FileSink[Settings]):
    """Files hold bytes and not text."""

    def heads(self, shape: Shape) -> Mapping[str, str]:  # type: ignore[override]
        return {".txt": ""}

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        yield from ((".txt", row.status) for row in rows)  # type: ignore[misc]


DeliveryJob("a", "b", "c", "d", "e", "f", {}, open("g", "wb"))  # type: ignore[arg-type]  # noqa: SIM115

# --- Observer --------------------------------------------------------------------------------------------------------


class Bell(Observer[Settings]):
    """Receives events."""

    group_for = 30.0

    async def background(self) -> None:
        await CallRate(5, per=60.0).turn()
        (self.state_folder / "seen").touch()

    async def aopen(self) -> None: ...

    async def notice(self, event: Event) -> None:
        assert_type(event.sentence, str)
        assert_type(event.id, int | None)
        assert_type(event.at, float | None)

    async def notice_all(self, events: Sequence[Event]) -> None:
        await self.notice(events[0])

    async def aclose(self) -> None: ...


class DeafBell(Observer[Settings]):
    """Listens for something else."""

    async def notice(self, event: str) -> None:  # type: ignore[override]
        raise PluginError(event)


# --- Executor --------------------------------------------------------------------------------------------------------


TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")


class Kitchen(Executor[Settings]):
    """Runs functions here."""

    async def aopen(self) -> None:
        self.number = self.number or 4

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        if self.number > 9:
            raise NodeLost("The kitchen burnt down.")
        assert_type(run_task(len, "four"), int)
        run_task(len, 4)  # type: ignore[arg-type]
        return run_task(function, task)

    def nodes(self) -> Sequence[Node]:
        assert_type(self.hello, Hello)
        assert_type(self.hello.here, Node)
        assert_type(Workers(number=2), Workers)
        return [describe_node(self.hello), Node("kitchen", "0.2.0", "3.11", {"batchd-mail": "1.0"})]


class Closed(Executor[Settings]):
    """Does not know what a task gives."""

    async def run(self, function: str, task: str) -> int:  # type: ignore[override]
        raise WorkerLost(function)


# --- Hooks -----------------------------------------------------------------------------------------------------------


@hookimpl
def register_readers(register: Register) -> None:
    """A class is a factory."""
    register("colon", ColonReader)


@hookimpl
def register_prompt_builders(register: Register) -> None:
    """A function is one too."""

    def translate(settings: Settings) -> Translate:
        return Translate(settings)

    register("translate", translate)


@hookimpl
def register_providers(register: Register) -> None:
    """Two kinds of providers."""
    register("mail", MailProvider)
    register("clerk", Clerk)


@hookimpl
def register_sinks(register: Register) -> None:
    """Two kinds of sinks."""
    register("warehouse", Warehouse)
    register("lines", Lines)


@hookimpl
def register_observers(register: Register) -> None:
    """An object is no factory."""
    register("bell", Bell)
    register("deaf", DeafBell(Settings()))  # type: ignore[arg-type]


@hookimpl
def register_executors(register: Register) -> None:
    """As the others."""
    register("kitchen", Kitchen)


@hookimpl
def register_services(register: Register) -> None:
    """A table is read by a function."""
    for name, table in service_tables(Path("services")):
        assert_type(table(), Mapping[str, Any])
        register(name, table)
    register("acme", {"title": "Acme"})  # type: ignore[arg-type]


def how_many(batchd: Installation) -> click.Command:
    """A command that looks at what is where."""

    @click.command()
    def number() -> None:
        """Count the files."""
        assert_type(batchd.settings(ColonSettings), ColonSettings)
        assert_type(batchd.state_folder / batchd.config_path.name, Path)
        click.echo(f"{len(batchd.status()['jobs'])} {batchd.job('may.csv')} {batchd.config()['folders']}")
        batchd.cancel("may.csv")  # type: ignore[attr-defined]

    return number


@hookimpl
def register_commands(register: Register) -> None:
    """A kind is a text."""
    register("how-many", how_many)
    register(batchd, Bell)  # type: ignore[arg-type]


# --- Functions and errors --------------------------------------------------------------------------------------------


def looked_at(text: bytes) -> str | None:
    """What a plugin that reads lines may ask batchd."""
    record = read_json_line(text)
    assert_type(read_json_together(text, lines=True), list[dict[str, Json]] | None)
    read_json_line("{}")  # type: ignore[arg-type]
    if isinstance(record, Failure):
        return record.code
    assert_type(record, dict[str, Json])
    refused = request_failure(record, "/v1/chat/completions")
    assert_type(refused, Failure | None)
    return None if refused is None else refused.message


def all_of_one_family(error: BatchdError) -> int:
    """Each of them is caught as one of batchd's."""
    kinds: list[type[BatchdError]] = [ConfigError, PluginError, FileRefused]
    of_providers: list[type[ProviderError]] = [TransientError, NotSent, RejectedError, SubmissionRefused]
    of_providers += [RemoteMissing, CannotFind, NotKnownYet, FileRefused]  # type: ignore[list-item]
    if isinstance(error, TransientError):
        assert_type(error.retry_after, float | None)
    if isinstance(error, SubmissionRefused):
        assert_type(error.problems, tuple[Problem, ...])
    if isinstance(error, FileRefused):
        assert_type(error.code, str)
    return error.exit_status + len(kinds) + len(of_providers)


FileRefused("There is no code.")  # type: ignore[call-arg]
Usage(1, 2, 3) + 4  # type: ignore[operator]
Secret(b"key")  # type: ignore[arg-type]
Row(0, ["a"], 3)  # type: ignore[arg-type]

# --- The conformance kit ---------------------------------------------------------------------------------------------


class TestColonReader(ReaderConformance):
    """A reader's tests."""

    module = "my_plugin"
    rows_to_compare = (10, 100)

    def make(self) -> ColonReader:
        return ColonReader(ColonSettings(comment="%"))

    def samples(self) -> Mapping[str, bytes]:
        return {"a.colon": (self.folder / "a.colon").read_bytes()}

    def broken(self) -> Mapping[str, bytes]:
        return {"a.colon": b"no colon\n"}

    def refused(self) -> Mapping[str, bytes]:
        return {"a.txt": b""}

    def large(self, rows: int) -> tuple[str, Iterator[bytes]] | None:
        return "a.colon", (b"a:b\n" for _ in range(rows))


class TestTranslate(PromptBuilderConformance):
    """A prompt builder's tests."""

    def make(self) -> Translate:
        return Translate(Settings())

    def rows(self) -> Sequence[Row]:
        return [Row(0, ["text"], ["Good morning."])]

    def answers(self) -> Sequence[str]:
        return ["Bonjour."]


class TestMailProvider(BatchProviderConformance):
    """A batch provider's tests."""

    endpoint = "/v1/responses"
    model = "quill"
    pause = 0.1

    def make(self) -> MailProvider:
        return MailProvider(MailSettings(api_key=Secret("env:KEY")))

    def bodies(self) -> Sequence[Body]:
        return [{"messages": []}]


class TestClerk(LiveProviderConformance):
    """A live provider's tests."""

    endpoint = "/v1/responses"
    model = "quill"

    def make(self) -> Clerk:
        return Clerk(MailSettings(api_key=Secret("env:KEY")))

    def bodies(self) -> Sequence[Body]:
        return [{"messages": []}]

    def refused(self) -> Body | None:
        return None


class TestWarehouse(SinkConformance):
    """A sink's tests."""

    def make(self) -> Warehouse:
        return Warehouse(Settings())

    def seen(self) -> Any:
        return sorted(self.folder.iterdir())


class TestBell(ObserverConformance):
    """An observer's tests."""

    def make(self) -> Bell:
        return Bell(Settings())

    def seen(self) -> object:
        return None


class TestHowMany(CommandConformance):
    """A command's tests."""

    def make(self) -> Callable[..., click.Command]:
        return how_many

    def test_it_counts(self) -> None:
        assert self.installation(jobs=[{"source": "may.csv"}], settings={"comment": "%"}).asked == 0


class TestKitchen(ExecutorConformance):
    """An executor's tests."""

    tasks_at_a_time = 9
    on_the_loop = True

    def make(self) -> Kitchen:
        return Kitchen(Settings())


class TestTheWrongThing(SinkConformance):
    """A sink's tests of something that is none."""

    def make(self) -> Bell:  # type: ignore[override]
        return Bell(Settings())


events: Iterator[Event] = sample_events()
factory: Callable[..., Any] = Warehouse
