"""A minimal plugin for each role, of ten lines or so, which passes the conformance kit."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, ClassVar, TypeVar

from batchd import (
    BadRow,
    BatchPhase,
    BatchProvider,
    BatchStatus,
    Body,
    DeliveryJob,
    Event,
    Executor,
    Failure,
    FileRefused,
    Installation,
    Json,
    LiveProvider,
    Observer,
    PromptBuilder,
    Reader,
    RemoteBatch,
    RemoteMissing,
    Response,
    Result,
    ResultRows,
    Row,
    Settings,
    Sink,
    Source,
    Submission,
    WorkerLost,
    run_task,
)
from batchd.workers.fork_server import PRELOADED

if TYPE_CHECKING:
    import click

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")
CONTEXT = get_context("forkserver")
# There is one such server in a process: other tests may have its workers after these.
CONTEXT.set_forkserver_preload([*PRELOADED, "batchd.testing.conformance.executor"])


class TabReader(Reader[Settings]):
    """Lines of cells with tabs between them."""

    suffixes = (".tab",)

    def read(self, source: Source) -> Iterator[Sequence[Json] | BadRow]:
        with source.open() as lines:
            records = (line.decode().rstrip("\r\n").split("\t") for line in lines)
            try:
                names = next(records, [""])
                if "" in names or len(set(names)) < len(names):
                    raise FileRefused("header", "The first line must give each column a different name.")
                yield names
                for cells in records:
                    ragged = Failure("ragged", f"This line has {len(cells)} cells for {len(names)} columns.")
                    yield cells if len(cells) == len(names) else BadRow(cells, ragged)
            except UnicodeDecodeError:
                raise FileRefused("encoding", "It is not UTF-8. Save it as UTF-8 and drop it again.") from None


class Label(PromptBuilder[Settings]):
    """Asks for a label."""

    columns = ("label",)
    endpoints = ("/v1/chat/completions",)
    unique = "id"

    def needs(self) -> Sequence[str]:
        return ["review"]

    def build(self, row: Row) -> Body | Failure:
        return {"messages": [{"role": "user", "content": f"Label this: {row['review']}"}]}

    def parse(self, response: Response) -> Mapping[str, Json] | Failure:
        if not response.text:
            return Failure("no_label", "The model gave no label.", transient=True)
        return {"label": response.text.strip()}


def answer(body: Body) -> Response:
    """The answer of the providers below."""
    text = str(body["messages"][-1]["content"]).upper()
    return Response({"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 3}})


class Shop(BatchProvider[Settings]):
    """A provider whose service is a dict on the class, shared by all objects."""

    batches: ClassVar[dict[str, tuple[str, list[Result]]]] = {}

    async def submit(self, submission: Submission) -> str:
        results = [Result(each["custom_id"], answer(each["body"])) for each in submission.requests_in_file()]
        remote = f"batch-{len(self.batches)}"
        self.batches[remote] = (submission.key, results)
        return remote

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        await asyncio.sleep(0)
        if batch.id not in self.batches:
            raise RemoteMissing(f"There is no batch {batch.id}.")
        return BatchStatus(BatchPhase.COMPLETED)

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        for result in self.batches[batch.id][1]:
            yield result

    async def find(self, submission: Submission) -> Sequence[str]:
        return [remote for remote, (key, _) in self.batches.items() if key == submission.key]


class Blind(Shop):
    """The same, but it cannot look up a batch."""

    find = BatchProvider.find


class Echo(LiveProvider[Settings]):
    """Repeats the question in capitals."""

    async def complete(self, custom_id: str, body: Body, *, endpoint: str) -> Result:
        await asyncio.sleep(0)
        if "messages" not in body:
            return Result(custom_id, Failure("messages", "There is nothing to answer."))
        return Result(custom_id, answer(body))


class Lines(Sink[Settings]):
    """Writes a line for each row."""

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        with job.outbox.publishing(".lines") as file:
            async for row in rows:
                file.write(f"{row.number} {row.status} {row.failure.code if row.failure else '-'}\n".encode())


class Table(Sink[Settings]):
    """Writes the rows into a database elsewhere, with one transaction for the whole job."""

    class Settings(Settings):
        path: str

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        await asyncio.to_thread(self._publish, job.id, rows)

    def _publish(self, job: str, rows: ResultRows) -> None:
        database = sqlite3.connect(self.settings.path, timeout=60)  # type: ignore[attr-defined]
        try:
            with database:
                database.execute("CREATE TABLE IF NOT EXISTS results (job, number, status, PRIMARY KEY (job, number))")
                database.execute("DELETE FROM results WHERE job = ?", (job,))
                lines = ((job, row.number, row.status.value) for row in rows)
                database.executemany("INSERT INTO results VALUES (?, ?, ?)", lines)
        finally:
            database.close()


class Notebook(Observer[Settings]):
    """Keeps the sentences of its events by their ids."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.sentences: dict[int | None, str] = {}
        self.is_open = False

    async def aopen(self) -> None:
        self.is_open = True

    async def notice(self, event: Event) -> None:
        assert self.is_open, "not open"
        await asyncio.sleep(0)
        self.sentences[event.id] = event.sentence

    async def aclose(self) -> None:
        self.is_open = False


class Count:
    """Makes a command that counts files."""

    @staticmethod
    def make(batchd: Installation) -> click.Command:
        import click

        @click.command()
        def count() -> None:
            """Count the files."""
            click.echo(len(batchd.status()["jobs"]))

        return count


class Pool(Executor[Settings]):
    """Two pools of one process each, so that one that dies breaks no other's task."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.pools: list[ProcessPoolExecutor] = []
        self.free: asyncio.LifoQueue[ProcessPoolExecutor | None] = asyncio.LifoQueue()

    async def aopen(self) -> None:
        self.number = self.number or 2
        for _ in range(self.number):
            self.free.put_nowait(None)

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        pool = await self.free.get()
        if pool is None:
            pool = ProcessPoolExecutor(1, mp_context=CONTEXT)
            self.pools.append(pool)
        again: ProcessPoolExecutor | None = pool
        try:
            return await asyncio.wrap_future(self.submit(pool, function, task))
        except BrokenProcessPool:
            again = None
            raise WorkerLost("The worker process died.") from None
        except asyncio.CancelledError:
            again = None
            self.end(pool)
            raise
        finally:
            self.free.put_nowait(again)

    def submit(self, pool: ProcessPoolExecutor, function: Callable[[TaskT], DoneT], task: TaskT) -> Future[DoneT]:
        """Hand a task to a process."""
        return pool.submit(run_task, function, task)

    def end(self, pool: ProcessPoolExecutor) -> None:
        """End a process, whatever it is at."""
        processes = list((pool._processes or {}).values())  # noqa: SLF001 - until 3.14 there is no other way
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()

    async def aclose(self) -> None:
        for pool in self.pools:
            self.end(pool)
