"""What batchd learned from refusals and answers: limits, lanes of providers, and recipes that work."""

from __future__ import annotations

from ...domain.records import Batch
from ...domain.routing import Route
from ...money.lanes import Lane
from ...sending.quota import Learnt, Queue
from .mapping import route_of
from .table import StoreTable


class LearntTables(StoreTable):
    """The tables `learnt_limits` and `proven`."""

    async def limits(self) -> dict[Queue, Learnt]:
        """The limits that refusals taught, by provider and model."""
        return {
            (row["provider"], row["model"]): Learnt(row["tokens"], row["requests"], row["size"], row["refused_at"])
            for row in await self._rows("learnt_limits")
        }

    async def learn(self, queue: Queue, learnt: Learnt) -> None:
        """Store what a refusal taught."""
        names = ("provider", "model", "tokens", "requests", "size", "refused_at")
        row = dict(zip(names, (*queue, *learnt.named), strict=True))
        await self._database.write(lambda tx: tx.insert("learnt_limits", [row], otherwise="OR REPLACE"))

    async def lane(self, provider: str, address: str) -> tuple[Lane, float] | None:
        """The lane of the provider at this address, and when it was found out."""
        rows = await self._rows("found_lane", provider=provider, address=address)
        return (Lane(rows[0]["lane"]), rows[0]["at"]) if rows else None

    async def learn_lane(self, provider: str, address: str, lane: Lane, at: float) -> None:
        """Store the lane of a provider."""
        row = {"provider": provider, "address": address, "lane": lane, "at": at}
        await self._database.write(lambda tx: tx.insert("found_lanes", [row], otherwise="OR REPLACE"))

    async def proven(self) -> set[str]:
        """The recipes that have brought an answer."""
        return {row["recipe"] for row in await self._rows("proven")}

    async def prove(self, recipe: str) -> None:
        """This recipe has brought an answer."""
        row = {"recipe": recipe, "at": self._database.now()}
        await self._database.write(lambda tx: tx.insert("proven", [row], otherwise="OR IGNORE"))

    async def routes_of(self, batch: Batch) -> list[Route]:
        """The routes of the jobs that have rows in the batch now."""
        return [route_of(row["route"]) for row in await self._rows("routes_of_batch", batch=batch.key)]

    async def is_trusted(self, batch: Batch) -> bool:
        """Whether a job with rows in the batch has answers already that no person has to look at first."""
        return bool(await self._rows("answered_jobs_of_batch", batch=batch.key))

    async def under_way(self) -> list[tuple[Route, float]]:
        """The routes that have rows in batches, and when the oldest of these batches was made."""
        return [(route_of(row["route"]), row["since"]) for row in await self._rows("routes_under_way")]
