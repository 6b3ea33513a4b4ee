"""Fakes for what is slow, costly or random: the clock, a provider, an executor.

Everything else in tests is real: SQLite files, folders, processes, HTTP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from ..contracts import BatchProvider, Limits, RemoteBatch, Settings, Submission
from ..errors import RemoteMissing
from ..executor import DoneT, Executor, TaskT
from ..model import BatchPhase, BatchStatus, Failure, Json, Problem, Response, Result
from ..system.clock import Clock


class FakeClock(Clock):
    """A clock that only moves when a test moves it; ids count up; random numbers are always the middle."""

    def __init__(self, start: float = 1_800_000_000.0, *, first_id: int = 1) -> None:
        self.wall = start
        self.elapsed = 1_000.0
        self._next_id = first_id

    def now(self) -> float:
        return self.wall

    def steady(self) -> float:
        return self.elapsed

    def boot(self) -> str:
        return "one boot"

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def new_id(self) -> str:
        """Return the next number as an id."""
        self._next_id += 1
        return f"{self._next_id - 1:08d}"

    def jitter(self) -> float:
        return 0.5

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self.wall += seconds
        self.elapsed += seconds


class InlineExecutor(Executor[Settings]):
    """Runs each task at once, in this process."""

    number = 1

    def __init__(self) -> None:
        super().__init__(Settings())

    async def run(self, function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
        return function(task)


@dataclass(slots=True)
class FakeBatch:
    """A batch at the fake service."""

    id: str
    upload: str
    key: str
    phase: BatchPhase = BatchPhase.IN_PROGRESS
    lines: list[Result] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()
    polls_left: int = 1
    rows_key: str = ""


class FakeService:
    """A batch service that outlives any daemon, and records what was really asked, executed and paid.

    `answer` turns a request's body into the answer's text or a Failure. `refuse` returns the problems for which the
    service refuses a whole file. `step` is called with its name before and after every effect; a test may raise there.
    """

    def __init__(self, answer: Callable[[dict[str, Json]], str | Failure] | None = None) -> None:
        self.answer = answer or (lambda body: f"re: {body['messages'][-1]['content']}")
        self.refuse: Callable[[list[dict[str, Json]]], Sequence[Problem]] = lambda _: ()
        self.step: Callable[[str], None] = lambda _: None
        self.files: dict[str, list[dict[str, Json]]] = {}
        self.batches: dict[str, FakeBatch] = {}
        self.executed: Counter[str] = Counter()
        self.creates = 0
        self.polls = 1

    def upload(self, submission: Submission) -> str:
        """Take a file."""
        self.step("upload: before")
        name = f"file-{len(self.files) + 1}"
        self.files[name] = list(submission.requests_in_file())
        self.step("upload: after")
        return name

    def create(self, submission: Submission) -> str:
        """Create a batch and answer it at once. `poll` shows it as completed after `polls` polls."""
        self.step("create: before")
        assert submission.upload is not None
        self.creates += 1
        requests = self.files[submission.upload]
        batch = FakeBatch(
            f"batch-{len(self.batches) + 1}",
            submission.upload,
            submission.key,
            polls_left=self.polls,
            rows_key=submission.rows_key,
            problems=tuple(self.refuse(requests)),
        )
        if batch.problems:
            batch.phase = BatchPhase.FAILED
        else:
            batch.lines = [self.answered(request) for request in reversed(requests)]
        self.batches[batch.id] = batch
        self.step("create: after")
        return batch.id

    def answered(self, request: dict[str, Json]) -> Result:
        """Return the result of one request. An answer is counted as executed."""
        answer = self.answer(request["body"])
        if isinstance(answer, Failure):
            return Result(request["custom_id"], answer)
        self.executed[request["custom_id"]] += 1
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        choice = {"message": {"content": answer}, "finish_reason": "stop"}
        return Result(request["custom_id"], Response({"choices": [choice], "usage": usage}))


class FakeProvider(BatchProvider[Settings]):
    """The provider of a FakeService."""

    limits = Limits()

    def __init__(self, service: FakeService) -> None:
        super().__init__(Settings())
        self.service = service

    async def upload(self, submission: Submission) -> str:
        return self.service.upload(submission)

    async def submit(self, submission: Submission) -> str:
        return self.service.create(submission)

    async def find(self, submission: Submission) -> Sequence[str]:
        self.service.step("find")
        return [batch.id for batch in self.service.batches.values() if batch.key == submission.key]

    async def find_rows(self, submission: Submission) -> Sequence[str]:
        self.service.step("find")
        return [batch.id for batch in self.service.batches.values() if batch.rows_key == submission.rows_key]

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """Return the status. Each poll brings the batch one step nearer to its end."""
        self.service.step("poll")
        ours = self._batch(batch)
        if ours.phase is BatchPhase.IN_PROGRESS:
            ours.polls_left -= 1
            if ours.polls_left <= 0:
                ours.phase = BatchPhase.COMPLETED
        done = len(ours.lines) if ours.phase.ended else 0
        return BatchStatus(ours.phase, len(ours.lines), done, 0, problems=ours.problems)

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        self.service.step("results: before")
        for result in self._batch(batch).lines:
            yield result
        self.service.step("results: after")

    async def cancel(self, batch: RemoteBatch) -> None:
        self.service.step("cancel")
        ours = self._batch(batch)
        if not ours.phase.ended:
            ours.phase = BatchPhase.CANCELLED

    def _batch(self, batch: RemoteBatch) -> FakeBatch:
        try:
            return self.service.batches[batch.id]
        except KeyError:
            raise RemoteMissing(f"There is no batch {batch.id}.") from None
