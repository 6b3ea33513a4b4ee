"""The client for programs that `await`. Like the other client, it does its work on a loop of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING, Any, Self

from .core import Core, JobHandle, RowsHandle, WhenHeld, next_of
from .tables import RowsLike, file_of, pandas_frame, polars_frame
from .values import AnsweredRow, CostEstimate, JobStatus

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class AsyncClient:
    """As Client, but a daemon of its own starts with the `async with` block, or with the first call."""

    def __init__(
        self, address: str | None = None, *, token: str | None = None, folder: str | os.PathLike[str] | None = None
    ) -> None:
        self._core = Core(address, token, folder)

    async def routes(self) -> list[str]:
        return await self._core.loop.wait(self._core.routes())

    async def estimate(self, rows: RowsLike, *, route: str | None = None, name: str | None = None) -> CostEstimate:
        with file_of(rows, name) as file:
            return await self._core.loop.wait(self._core.estimate(file, route))

    async def submit(self, rows: RowsLike, *, route: str | None = None, name: str | None = None) -> AsyncSubmittedJob:
        with file_of(rows, name) as file:
            return AsyncSubmittedJob(self._core, await self._core.loop.wait(self._core.submit(file, route)))

    async def job(self, word: str) -> AsyncSubmittedJob:
        return AsyncSubmittedJob(self._core, await self._core.loop.wait(self._core.job(word)))

    async def jobs(self, text: str = "") -> list[JobStatus]:
        return await self._core.loop.wait(self._core.jobs(text))

    async def close(self) -> None:
        if not self._core.loop.closed:
            await self._core.loop.wait(self._core.close())
            self._core.loop.close()

    async def __aenter__(self) -> Self:
        try:
            await self._core.loop.wait(self._core.opened())
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


class AsyncSubmittedJob(JobHandle):
    """As SubmittedJob."""

    async def status(self) -> JobStatus:
        return await self._core.loop.wait(self._core.status(self._key))

    async def wait(self, timeout: float | None = None, *, when_held: WhenHeld = "raise") -> JobStatus:  # noqa: ASYNC109  # as the other client has it
        return await self._core.loop.wait(self._core.wait(self._key, timeout, when_held))

    async def wait_for_id(self, timeout: float = 60.0) -> str:  # noqa: ASYNC109  # as the other client has it
        return await self._core.loop.wait(self._core.taken(self._key, timeout))

    def results(self, offset: int = 0) -> AsyncAnsweredRows:
        return AsyncAnsweredRows(self._core, self._key, offset)

    async def approve(self, up_to: str | None = None) -> str:
        return await self._order("approve", {} if up_to is None else {"up_to": up_to})

    async def cancel(self) -> str:
        return await self._order("cancel", {})

    async def retry(self) -> str:
        return await self._order("retry", {})

    async def _order(self, kind: str, values: dict[str, str]) -> str:
        return await self._core.loop.wait(self._core.order(self._key, kind, values))


class AsyncAnsweredRows(RowsHandle, AsyncIterable[AnsweredRow]):
    """As AnsweredRows."""

    async def __aiter__(self) -> AsyncGenerator[AnsweredRow, None]:
        wait, pieces = self._core.loop.wait, self._pieces()
        try:
            while (piece := await wait(next_of(pieces))) is not None:
                for row in piece:
                    yield row
        finally:
            await wait(pieces.aclose())

    async def to_list(self) -> list[dict[str, Any]]:
        return [row.as_dict() async for row in self]

    async def to_pandas(self) -> pd.DataFrame:
        return pandas_frame([row async for row in self])

    async def to_polars(self) -> pl.DataFrame:
        return polars_frame([row async for row in self])
