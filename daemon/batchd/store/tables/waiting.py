"""What waits for a batch, and what keeps it waiting: only as much is read as the next batches can take."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from ..database import Transaction
from .table import StoreTable, look


class WaitingPart(Struct, frozen=True):
    """A planned part that waits for a batch, as packing needs it. `more`: other parts of its job are being planned."""

    job: str
    first: int
    requests: int
    size: int
    input_tokens: int
    output_tokens: int
    suspect: int
    rest_until: float | None
    more: bool


class ReadLimit(Struct, frozen=True):
    """How much is worth reading of what waits: parts, those of one job, requests, and tokens, if those are limited.

    The last part may go beyond.
    """

    parts: int
    of_job: int
    requests: float
    tokens: float


class SendingJob(Struct, frozen=True):
    """A job with rows in a batch: what decides whether it waits for the hours of its route."""

    batch: str
    route: str
    claimed_at: float
    late: bool


class Waiting(StoreTable):
    """Planned parts, and what is enqueued of each model."""

    async def live_batches(self, routes: Iterable[str]) -> list[SendingJob]:
        """The batches of live calls that are under way with rows of these routes."""
        names = json.dumps(sorted(routes))
        return [_sending_job(row) for row in await self._rows("live_batches_of_routes", names=names)]

    async def jobs_of_batch(self, batch: str) -> list[SendingJob]:
        """The jobs with rows in a batch."""
        return [_sending_job(row) for row in await self._rows("jobs_of_batch", batch=batch)]

    @look
    def of_jobs(
        self,
        tx: Transaction,
        jobs: Collection[str],
        limit: ReadLimit,
        *,
        now: float,
        known: Mapping[str, Sequence[WaitingPart]] | None = None,
    ) -> tuple[list[WaitingPart], float | None]:
        """The planned parts of these jobs, in their order, up to the limit. `known` has those of some jobs already.

        Parts that rest at the moment are left out; the second value is when the first of these may be asked.
        """
        found: list[WaitingPart] = []
        rest: float | None = None
        requests = tokens = 0
        for job in jobs:
            of_job = 0
            parts = (known or {}).get(job) or (WaitingPart(*row) for row in tx.each("waiting_parts", job=job))
            for part in parts:
                if part.rest_until is not None and part.rest_until > now:
                    rest = part.rest_until if rest is None else min(rest, part.rest_until)
                    continue
                found.append(part)
                of_job += 1
                requests += part.requests
                tokens += part.input_tokens
                if len(found) >= limit.parts or requests >= limit.requests or tokens > limit.tokens:
                    return found, rest
                if of_job >= limit.of_job:
                    break
        return found, rest

    async def enqueued_tokens(self) -> dict[tuple[str, str], int]:
        """Input tokens that are enqueued at each provider and model, or about to be."""
        return {(row["provider"], row["model"]): row["tokens"] for row in await self._rows("enqueued_tokens")}

    async def open_live(self) -> dict[tuple[str, str, str], dict[str, int]]:
        """How many batches are asked by live calls, by provider, model and endpoint, and by job."""
        found: dict[tuple[str, str, str], dict[str, int]] = {}
        for row in await self._rows("open_live"):
            found.setdefault((row["provider"], row["model"], row["endpoint"]), {})[row["job"]] = row["batches"]
        return found


def _sending_job(row: sqlite3.Row) -> SendingJob:
    return SendingJob(row["batch"], row["route"], row["claimed_at"], row["late_at"] is not None)
