"""Batches. Each write is one step on a batch's way, and repeatable.

The order of steps is what keeps money safe: our key before the upload, the upload's id before the intent, the
intent before the create call, the provider's id before anything else is asked of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ...domain.batch_keys import following, rows_key
from ...domain.records import Batch, Moment, Part, QueuedPart
from ...domain.states import CALLS_REPEATED, BatchState, HeldFor
from ...events import (
    BatchDownloaded,
    BatchEnded,
    BatchFound,
    BatchGoesOn,
    BatchHeld,
    BatchNotFound,
    BatchOutcomeUnknown,
    BatchPacked,
    BatchStalled,
    BatchSubmitted,
    BatchUploaded,
    CallsRepeated,
    Event,
)
from ...model import BatchPhase, BatchStatus, Json
from ...money.lanes import Lane
from ..database import Transaction, to_json
from .mapping import batch_of, columns_of, moment_column, part_of, status_columns
from .steps import return_batch, take_unwanted_back
from .table import StoreTable, change


class Batches(StoreTable):
    """The tables `batches`, `batch_parts` and `input_files`."""

    # --- looking ---------------------------------------------------------------------------------------------

    async def get(self, key: str) -> Batch:
        """One batch; KeyError if there is none."""
        return batch_of(await self._one("batch", key=key))

    async def parts(self, key: str) -> list[Part]:
        """The parts that are in the batch now, by job and row."""
        return [part_of(row) for row in await self._rows("parts_of_batch", batch=key)]

    async def of_job(self, job: str) -> list[Batch]:
        """Every batch that had rows of the job."""
        return [batch_of(row) for row in await self._rows("batches_of_job", job=job)]

    async def returned_before(self, key: str) -> list[Batch]:
        """Returned batches that had parts of this one, at the same attempt."""
        return [batch_of(row) for row in await self._rows("returned_before", batch=key)]

    async def enqueued_with(self, batch: Batch, now: float) -> int:
        """Input tokens that were enqueued for the batch's model when it was refused, with the batch's own."""
        since = batch.submitted_at if batch.submitted_at is not None else now
        row = await self._one("enqueued_with", provider=batch.provider, model=batch.model, since=since)
        return int(row["tokens"])

    # --- on the way there ------------------------------------------------------------------------------------

    @change
    def packed(
        self, tx: Transaction, batches: Sequence[tuple[Batch, Sequence[QueuedPart]]], *, next_key: str | None = None
    ) -> None:
        """Commit batches with their keys and parts. A batch is not made if one of its parts does not wait any more.

        The part may have been cut, batched or skipped since, or its job cancelled or late. A batch gets the key that
        is stored for its provider, and the key that follows is stored for the next; `next_key` is the first of all.
        """
        for batch, waiting in batches:
            stored = tx.fetch("next_batch_key", provider=batch.provider)
            other = stored[0]["key"] if stored else next_key
            if not other:
                _make(tx, batch, waiting)
            elif _make(tx, dataclasses.replace(batch, key=other), waiting):
                tx.run("keep_next_batch_key", provider=batch.provider, key=following(other))

    async def begin_keys_anew(self, provider: str, key: str) -> None:
        """Give the provider's next batch this key: another copy of this state has used the keys that would follow."""
        await self._run("keep_next_batch_key", provider=provider, key=key)

    @change
    def uploading(self, tx: Transaction, batch: Batch) -> int:
        """Commit that an upload is about to begin. Return its number, from 1."""
        [row] = tx.fetch("batch", key=batch.key)
        uploads: int = row["uploads"] + 1
        tx.update("batches", {"key": batch.key, "state": BatchState.PACKED}, uploads=uploads)
        if batch.lane is Lane.BATCH:
            tx.run("note_input_file", batch=batch.key)
        return uploads

    async def uploaded(self, batch: Batch, upload: str | None) -> None:
        """The provider has the input file under this name (None: it takes it with the create call)."""
        event = [BatchUploaded(batch=batch.key, upload=upload, size=batch.size)] if upload else []
        await self._step(batch, BatchState.PACKED, *event, state=BatchState.UPLOADED, upload=upload)

    async def submitting(self, batch: Batch, intent: Moment, fingerprint: Mapping[str, str]) -> bool:
        """Commit that the create call goes out now. From here on its outcome is unknown until it is committed.

        Return False if the call must not go out: the batch was taken back meanwhile. `fingerprint` is the account's.
        """
        of_call = {"intent": moment_column(intent), "fingerprint": to_json(dict(fingerprint))}
        of_before = {"looks": 0, "reason": None}
        return await self._step(batch, BatchState.UPLOADED, state=BatchState.SUBMITTING, **of_call, **of_before)

    async def submitted(self, batch: Batch, remote: str, at: float) -> None:
        """The provider has the batch under this id."""
        event = BatchSubmitted(
            batch=batch.key, remote=remote, provider=batch.provider, model=batch.model, requests=batch.requests
        )
        columns = {"state": BatchState.SUBMITTED, "remote": remote, "submitted_at": at}
        await self._step(batch, BatchState.SUBMITTING, event, **columns)

    @change
    def outcome_unknown(self, tx: Transaction, batch: Batch, reason: str, wait: float) -> None:
        """Record the event; the state is already stored."""
        found = tx.fetch("batch", key=batch.key)
        # `submitting` has cleared the reason of an earlier try: if there is a reason, this event is recorded already.
        if found and found[0]["reason"] is None:
            where = {"key": batch.key, "state": BatchState.SUBMITTING}
            if tx.update("batches", where, reason=reason):
                tx.record(BatchOutcomeUnknown(batch=batch.key, reason=reason, wait=wait))

    async def not_submitted(self, batch: Batch) -> None:
        """The create call certainly did not arrive, or was certainly refused: it may be made again."""
        answers = batch.create_answers + 1
        await self._step(batch, BatchState.SUBMITTING, state=BatchState.UPLOADED, intent=None, create_answers=answers)

    async def upload_lost(self, batch: Batch) -> None:
        """The provider does not know the input file any more: upload it again."""
        again: dict[str, Any] = {"upload": None, "intent": None, "create_answers": batch.create_answers + 1}
        await self._step(batch, BatchState.SUBMITTING, state=BatchState.PACKED, **again)

    async def looked(self, batch: Batch, looks: int) -> None:
        """The batch was looked for and not found this many times in a row."""
        await self._step(batch, BatchState.SUBMITTING, looks=looks)

    async def not_found(self, batch: Batch) -> None:
        """The batch was looked for often enough: it was never created."""
        event = BatchNotFound(batch=batch.key)
        columns = {"state": BatchState.UPLOADED, "intent": None, "looks": 0, "unlisted": batch.unlisted + 1}
        await self._step(batch, BatchState.SUBMITTING, event, **columns)

    async def found(self, batch: Batch, remote: str, extra_remotes: Sequence[str], at: float) -> None:
        """The batch was created after all; `extra_remotes` are duplicates, whose answers are used too."""
        event = BatchFound(batch=batch.key, remote=remote, extra_remotes=list(extra_remotes))
        columns = {"remote": remote, "extra_remotes": to_json(extra_remotes), "submitted_at": at}
        await self._step(batch, batch.state, event, state=BatchState.SUBMITTED, held_for=None, reason=None, **columns)

    async def held(self, batch: Batch, held_for: HeldFor, reason: str) -> None:
        """Hold the batch until a person decides."""
        event = BatchHeld(batch=batch.key, reason=reason)
        await self._step(batch, batch.state, event, state=BatchState.HELD, reason=reason, held_for=held_for)

    async def knows(self, provider: str, remote: str) -> bool:
        """Whether one of our batches has this id at the provider."""
        return bool(await self._rows("with_remote", provider=provider, remote=remote))

    async def has_sent(self, provider: str) -> bool:
        """Whether a batch was ever created at the provider."""
        return bool(await self._rows("has_sent", provider=provider))

    async def last_sent(self, provider: str) -> Batch | None:
        """The batch that was created at the provider last."""
        found = await self._rows("last_sent", provider=provider)
        return await self.get(found[0]["key"]) if found else None

    async def held_as_copy(self, provider: str) -> bool:
        """Whether a batch of the provider is held because this state is an older copy, and no person has decided."""
        return bool(await self._rows("held_as_copy", provider=provider))

    async def goes_on(self, batch: Batch, details: Mapping[str, Json]) -> None:
        """The reason for holding the batch is over: it continues where it was."""
        state = BatchState.SUBMITTING if batch.remote is None else BatchState.SUBMITTED
        event = BatchGoesOn(batch=batch.key)
        columns = {"held_for": None, "reason": None, "looks": 0, "details": to_json(dict(details))}
        await self._step(batch, BatchState.HELD, event, state=state, **columns)

    async def resolved_absent(self, batch: Batch) -> None:
        """A person said that the provider does not have it."""
        event = BatchNotFound(batch=batch.key)
        columns = {"state": BatchState.UPLOADED, "intent": None, "looks": 0, "held_for": None, "unlisted": 0}
        await self._step(batch, batch.state, event, **columns)

    async def resolved_without(self, batch: Batch, details: Mapping[str, Json]) -> None:
        """A person said that the missing answers will not come: use the others."""
        columns = {"state": BatchState.ENDED, "held_for": None, "reason": None, "details": to_json(dict(details))}
        await self._step(batch, BatchState.HELD, BatchGoesOn(batch=batch.key), **columns)

    # --- at the provider and back ----------------------------------------------------------------------------

    async def polled(self, batch: Batch, status: BatchStatus, now: Moment, *, progress: Moment) -> None:
        """Store what the provider says of the batch now, and since when that has been the same."""
        moments = {"heard": moment_column(now), "progress": moment_column(progress)}
        await self._step(batch, BatchState.SUBMITTED, **status_columns(status), **moments)

    async def known_to(self, batch: Batch, fingerprint: Mapping[str, str]) -> None:
        """The provider knows the batch under the account with this fingerprint."""
        await self._step(batch, batch.state, fingerprint=to_json(dict(fingerprint)))

    async def missing(self, batch: Batch, details: Mapping[str, Json]) -> None:
        """The provider does not know the batch, or answers are missing, at least for the moment."""
        await self._step(batch, batch.state, details=to_json(dict(details)))

    @change
    def stalled(self, tx: Transaction, batch: Batch, status: BatchStatus, now: Moment, *, quiet: float) -> None:
        """The batch has stood still for `quiet` seconds: commit that it is to be stopped."""
        event = BatchStalled(**_counts(batch, status), quiet=quiet)
        [row] = tx.fetch("batch", key=batch.key)
        if row["state"] == BatchState.SUBMITTED and row["stopping"] is None:
            columns = status_columns(status) | {"stopping": moment_column(now)}
            tx.update("batches", {"key": batch.key}, **columns)
            tx.record(event)

    async def ended(self, batch: Batch, status: BatchStatus, at: float) -> None:
        """The provider has stopped working on the batch."""
        problems = [problem.message for problem in status.problems]
        event = BatchEnded(**_counts(batch, status), problems=problems[:5], provider=batch.provider)
        repeated = status.details.get(CALLS_REPEATED)
        events: list[Event] = [CallsRepeated(batch=batch.key, **repeated)] if isinstance(repeated, dict) else []
        columns = status_columns(status) | {"state": BatchState.ENDED, "ended_at": at}
        await self._step(batch, BatchState.SUBMITTED, *events, event, **columns)

    async def cancel_asked(self, batch: Batch, now: Moment) -> None:
        """The provider was asked to cancel the batch. It is not asked again while it says that it is cancelling."""
        first = batch.stopping or now
        await self._step(batch, BatchState.SUBMITTED, phase=BatchPhase.CANCELLING, stopping=moment_column(first))

    async def fetched(self, batch: Batch) -> None:
        """Its answers are downloaded."""
        event = [BatchGoesOn(batch=batch.key)] if batch.state is BatchState.HELD else []
        await self._step(batch, batch.state, *event, state=BatchState.FETCHED, held_for=None, reason=None)

    @change
    def distributed(self, tx: Transaction, batch: Batch, *, answers: int, strays: int) -> None:
        """Its answers are distributed to its parts."""
        where = {"key": batch.key, "state": BatchState.FETCHED}
        if tx.update("batches", where, state=BatchState.DONE):
            tx.run("distribute_batch", batch=batch.key)
            tx.record(BatchDownloaded(batch=batch.key, answers=answers, strays=strays))

    async def returned(self, batch: Batch, reason: str, changed: Sequence[Part] = ()) -> None:
        """The batch did not run: its parts wait for another one, `changed` parts (or pieces of them) as given here."""
        await self._database.write(lambda tx: return_batch(tx, batch.key, batch.state, reason, changed))

    # --- input files at a provider, from before an upload begins until they are deleted there ----------------

    async def input_files_left(self) -> list[Batch]:
        """Batches that are over and whose input file may still be at their provider."""
        return [batch_of(row) for row in await self._rows("input_files_left")]

    async def input_file_deleted(self, batch: str) -> None:
        """The batch's input file is no longer at its provider."""
        await self._run("input_file_deleted", batch=batch)

    # --- how -------------------------------------------------------------------------------------------------

    @change
    def _step(self, tx: Transaction, /, batch: Batch, before: BatchState, *events: Event, **columns: Any) -> bool:
        if not tx.update("batches", {"key": batch.key, "state": before}, **columns):
            return False
        tx.record(*[_with_place(tx, event) for event in events])
        if columns.get("state") in {BatchState.PACKED, BatchState.UPLOADED}:
            # It may have been cancelled while its outcome was not known. Now it is known not to be sent: take it back.
            take_unwanted_back(tx)
            tx.run("plan_moved_parts_again", batch=batch.key)
        return True


def _make(tx: Transaction, batch: Batch, waiting: Sequence[QueuedPart]) -> bool:
    """Make a batch of these parts; False if one of them does not wait as it did."""
    way = {"lane": batch.lane, "provider": batch.provider}
    found = [tx.fetch("waiting_part", job=part.job, first=part.first, **way) for part in waiting]
    parts = [part_of(rows[0]) for rows in found if rows]
    if [(part.requests, part.size) for part in parts] != [(part.requests, part.size) for part in waiting]:
        return False
    tx.insert("batches", [columns_of(dataclasses.replace(batch, rows_key=rows_key(parts)))])
    for part in parts:
        where = {"job": part.job, "first": part.first}
        tx.update("parts", where, state="batched", batch=batch.key)
        tx.insert("batch_parts", [where | {"batch": batch.key, "attempt": part.attempt}])
    tx.record(
        BatchPacked(
            batch=batch.key,
            provider=batch.provider,
            model=batch.model,
            parts=len(parts),
            jobs=len({part.job for part in parts}),
            requests=batch.requests,
        )
    )
    return True


def _counts(batch: Batch, status: BatchStatus) -> dict[str, Any]:
    """The fields of an event that a status gives."""
    counts = {"completed": status.completed, "failed": status.failed, "total": status.total or batch.requests}
    return {"batch": batch.key, "phase": status.phase, **counts}


def _with_place(tx: Transaction, event: Event) -> Event:
    """The event, with how many jobs the batch has, and whether it is the first batch of one of them."""
    if not isinstance(event, BatchSubmitted | BatchEnded):
        return event
    [place] = tx.fetch("place_of_batch", batch=event.batch)
    if isinstance(event, BatchSubmitted):
        event = dataclasses.replace(event, jobs=place["jobs"])
    return dataclasses.replace(event, first=bool(place["is_first"]))
