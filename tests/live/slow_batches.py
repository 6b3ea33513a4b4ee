"""A service with batches that answer as many rows as the test says, and with live calls. It watches itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchd import (
    BatchPhase,
    BatchStatus,
    LiveAnswer,
    LiveCall,
    RemoteBatch,
    RemoteMissing,
    Response,
    Result,
    Submission,
)
from batchd.testing.fakes import FakeProvider, FakeService

from .conftest import Behaviour, LiveService, said


@dataclass
class SlowBatch:
    """A batch: its rows, and the results that it has so far."""

    id: str
    key: str
    requests: list[dict[str, Any]]
    phase: BatchPhase = BatchPhase.IN_PROGRESS
    results: list[Result] = field(default_factory=list)
    polls_to_stop: int = 1

    @property
    def texts(self) -> list[str]:
        return [request["body"]["messages"][-1]["content"] for request in self.requests]


class SlowBatches(FakeProvider, LiveService):
    """`answers` rows of a batch are answered before anybody stops it; `late_answers` more while it is being stopped.

    `executed` has how often each row was answered and paid, in which way whatever; `in_two_places` the rows that were
    asked by a call while a batch that had not ended held them, or that were in two batches at once.
    """

    def __init__(self, *, answers: int = 0, late_answers: int = 0, behave: Behaviour | None = None) -> None:
        LiveService.__init__(self, behave or (lambda text, before: said(f"answer to {text}")))
        self.service = FakeService()
        self.answers, self.late_answers = answers, late_answers
        self.batches: dict[str, SlowBatch] = {}
        self.uploads: dict[str, list[dict[str, Any]]] = {}
        self.executed: Counter[str] = Counter()
        self.in_two_places: list[str] = []
        self.deaf = False
        self.polls_to_stop = 2

    async def upload(self, submission: Submission) -> str:
        self.service.step("upload: before")
        name = f"file-{len(self.uploads) + 1}"
        self.uploads[name] = list(submission.requests_in_file())
        return name

    async def submit(self, submission: Submission) -> str:
        self.service.step("create: before")
        batch = SlowBatch(f"batch-{len(self.batches) + 1}", submission.key, self.uploads[str(submission.upload)])
        batch.polls_to_stop = self.polls_to_stop
        self.in_two_places += [text for text in batch.texts if self._is_held(text)]
        self.batches[batch.id] = batch
        self._answer(batch, self.answers)
        self.service.step("create: after")
        return batch.id

    async def find(self, submission: Submission) -> Sequence[str]:
        return [batch.id for batch in self.batches.values() if batch.key == submission.key]

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        self.service.step("poll")
        ours = self._mine(batch)
        if ours.phase is BatchPhase.CANCELLING:
            ours.polls_to_stop -= 1
            self._answer(ours, self.late_answers)
            if ours.polls_to_stop <= 0:
                ours.phase = BatchPhase.CANCELLED
        if len(ours.results) == len(ours.requests) and not ours.phase.ended:
            ours.phase = BatchPhase.COMPLETED
        return BatchStatus(ours.phase, len(ours.requests), len(ours.results), 0)

    async def cancel(self, batch: RemoteBatch) -> None:
        self.service.step("cancel")
        ours = self._mine(batch)
        if not ours.phase.ended and not self.deaf:
            ours.phase = BatchPhase.CANCELLING

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        self.service.step("results")
        for result in self._mine(batch).results:
            yield result

    async def answer(self, call: LiveCall) -> LiveAnswer:
        text = json.loads(call.body)["messages"][-1]["content"]
        if self._is_held(text):
            self.in_two_places.append(text)
        answer = await super().answer(call)
        self.executed[text] += 1
        return answer

    def _is_held(self, text: str) -> bool:
        return any(text in batch.texts for batch in self.batches.values() if not batch.phase.ended)

    def _answer(self, batch: SlowBatch, number: int) -> None:
        for request in batch.requests[len(batch.results) :][:number]:
            text = request["body"]["messages"][-1]["content"]
            self.executed[text] += 1
            usage = {"prompt_tokens": 10, "completion_tokens": 5}
            choice = {"message": {"content": f"answer to {text}"}, "finish_reason": "stop"}
            batch.results.append(Result(request["custom_id"], Response({"choices": [choice], "usage": usage})))

    def _mine(self, batch: RemoteBatch) -> SlowBatch:
        if batch.id not in self.batches:
            raise RemoteMissing(f"There is no batch {batch.id}.")
        return self.batches[batch.id]
