"""Moves batches from state to state, with one task for each unfinished batch."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from ..records import BatchRecord, FileRecord, Status
from ..settings import SandboxSettings
from ..store import Store
from .execution import enqueued_token_limit, refused
from .lifecycle import Become, Execute, Wait, next_step
from .worker_messages import BatchError, Executed, ExecuteJob, LineOrder, Outcome
from .worker_process import JobFailed, Worker, WorkerGone

_log = logging.getLogger("batchd_sandbox")


class Runner:
    """Reads the stored state, does the next step, and repeats. A restart does the same."""

    def __init__(self, store: Store, worker: Worker, settings: SandboxSettings) -> None:
        self._store = store
        self._worker = worker
        self._settings = settings
        self._wake: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Continues all unfinished batches."""
        for batch in self._store.running():
            self.launch(batch.id)

    def launch(self, batch_id: str) -> None:
        """Starts the task of a batch."""
        self._wake[batch_id] = asyncio.Event()
        task = asyncio.create_task(self._drive(batch_id), name=f"batch {batch_id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def wake(self, batch_id: str) -> None:
        """Makes the task of a batch look again, after a change from outside."""
        if event := self._wake.get(batch_id):
            event.set()

    async def close(self) -> None:
        """Stops all tasks. Their state is stored."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (reason := task.exception()):
            _log.error("A batch stopped after an error.", exc_info=reason, extra={"action": "batch_abandoned"})

    async def _drive(self, batch_id: str) -> None:
        try:
            while (batch := self._store.batch(batch_id)) and (step := next_step(batch, time.time())):
                match step:
                    case Wait(until):
                        await self._wait(batch_id, until)
                    case Execute(share):
                        executed = await self._execute(batch, share)
                        self._store.keep_outcome(batch_id, executed.outcome, executed.met)
                    case Become(status):
                        self._become(batch, status)
        except WorkerGone:
            # The worker was killed repeatedly, or the sandbox is closing. The next start tries again.
            _log.warning("The worker process ended while it executed a batch.", extra={"action": "worker_gone"})
        finally:
            self._wake.pop(batch_id, None)

    async def _wait(self, batch_id: str, until: float | None) -> None:
        event = self._wake[batch_id]
        delay = None if until is None else max(until - time.time(), 0)
        try:
            async with asyncio.timeout(delay):
                await event.wait()
        except TimeoutError:
            return
        event.clear()

    async def _execute(self, batch: BatchRecord, share: float) -> Executed:
        if not self._store.content(batch.input_file_id).exists():
            message = f"The input file '{batch.input_file_id}' does not exist."
            return refused(share, BatchError("invalid_file", message))
        try:
            executed = await self._worker.execute(self._job(batch, share))
        except JobFailed as reason:
            return refused(share, BatchError("server_error", f"The sandbox could not read the input file: {reason}"))
        outcome, limit = executed.outcome, self._settings.max_enqueued_tokens
        if limit is None or outcome.errors or self._enqueued(batch, outcome) <= limit:
            return executed
        return Executed(replace(outcome, errors=(enqueued_token_limit(outcome.model, limit),)), {})

    def _job(self, batch: BatchRecord, share: float) -> ExecuteJob:
        store, settings = self._store, self._settings
        expires = batch.fault("expired") and batch.status is not Status.CANCELLING
        broken = batch.fault("broken") is not None and batch.status is not Status.CANCELLING
        rest = "batch_expired" if expires else "" if broken else "batch_cancelled"
        return ExecuteJob(
            batch_id=batch.id,
            endpoint=batch.endpoint,
            created_at=int(batch.created_at),
            source=str(store.content(batch.input_file_id)),
            output=str(store.content(batch.reserved_output_id)),
            errors=str(store.content(batch.reserved_error_id)),
            executed=str(store.executed(batch.id)),
            drafts=str(store.folder / "drafts"),
            shuffled=not settings.instant,
            share=share,
            rest=rest,
            max_requests=settings.max_requests,
            max_bytes=settings.max_bytes,
            models=None if settings.any_model else settings.models,
            line_orders=tuple(
                LineOrder(number, order, store.met(number, except_in=batch.id) if order.chooses_lines else {})
                for number, order in batch.faults
                if order.operation == "line"
            ),
            batch_orders=tuple(order for _, order in batch.faults if order.operation == "batch"),
        )

    def _enqueued(self, batch: BatchRecord, outcome: Outcome) -> int:
        """The prompt tokens of this batch and of all other unfinished ones with its model."""
        return outcome.enqueued_tokens + sum(
            other.outcome.enqueued_tokens
            for other in self._store.running()
            if other.id != batch.id
            and other.outcome is not None
            and not other.outcome.errors
            and other.outcome.model == outcome.model
        )

    def _become(self, batch: BatchRecord, status: Status) -> None:
        now = time.time()
        changes: dict[str, float | str | None] = {"status": status, f"{status}_at": now}
        if status is Status.CANCELLING:
            changes["answered"] = None if batch.outcome is None else batch.outcome.share
        changed = replace(batch, status=status)
        wanted, most = self._store.lifetime(batch.id), int(self._settings.outputs_kept)
        kept = most if wanted is None else min(wanted, most)
        self._store.change_batch(batch.id, _result_files(changed, int(now), kept), **changes)
        if changed.finished:
            self._store.sweep(batch.input_file_id)


def _result_files(batch: BatchRecord, now: int, kept: int) -> list[FileRecord]:
    """The output and error file of a batch, if it is finished and has them."""
    outcome = batch.outcome or Outcome(share=0.0)
    found = (
        (batch.output_file_id, "output", outcome.output_bytes),
        (batch.error_file_id, "error", outcome.error_bytes),
    )
    return [
        FileRecord(file_id, f"{batch.id}_{kind}.jsonl", size, "batch_output", now, now + kept)
        for file_id, kind, size in found
        if file_id is not None
    ]
