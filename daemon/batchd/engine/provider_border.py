"""The border that everything from a provider passes, after its plugin has decoded it.

Secrets that batchd has read are covered, impossible numbers become unknown, and long texts and lists are cut: what
comes in here is stored, logged, delivered and told to observers.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

import msgspec

from ..contracts import BatchProvider, RemoteBatch, Submission
from ..errors import ProviderError, SubmissionRefused, TransientError
from ..model import BatchPhase, BatchStatus, Json, Problem, Purged, Result, Usage
from ..plugin.blame import never_exiting
from ..secrets.known import covered, known

MAX_COUNT = 10**12
"""Requests or tokens of a batch. More is impossible, and sums of it would not fit into the database."""
MAX_PROBLEMS = 50_000
MAX_FILES = 100
"""Files of a batch at its provider."""
MAX_MOMENT = 10**11
"""Seconds since 1970: the year 5138."""
MAX_CODE, MAX_MESSAGE, MAX_IDENTIFIER, MAX_REASON = 100, 2_000, 1_000, 4_000
MAX_DETAILS = 1_000_000
"""Bytes of what a plugin notes about a batch."""


class GuardedProvider(BatchProvider[Any]):
    """A provider whose answers have passed the border."""

    def __init__(self, plugin: BatchProvider[Any]) -> None:
        super().__init__(plugin.settings)
        self._plugin = plugin
        self.limits = plugin.limits
        self.completion_window = plugin.completion_window

    async def submit(self, submission: Submission) -> str:
        """See BatchProvider."""
        with _errors():
            return _identifier(await self._plugin.submit(submission))

    async def poll(self, batch: RemoteBatch) -> BatchStatus:
        """See BatchProvider."""
        with _errors():
            return passed(await self._plugin.poll(batch))

    async def results(self, batch: RemoteBatch) -> AsyncIterator[Result]:
        """See BatchProvider. batchd itself calls `download`."""
        with _errors():
            async for result in self._plugin.results(batch):
                yield result

    async def upload(self, submission: Submission) -> str | None:
        """See BatchProvider."""
        with _errors():
            token = await self._plugin.upload(submission)
            return None if token is None else _identifier(token)

    async def find(self, submission: Submission) -> Sequence[str]:
        """See BatchProvider."""
        with _errors():
            return [_identifier(remote) for remote in await self._plugin.find(submission)]

    async def find_rows(self, submission: Submission) -> Sequence[str]:
        """See BatchProvider."""
        with _errors():
            return [_identifier(remote) for remote in await self._plugin.find_rows(submission)]

    async def cancel(self, batch: RemoteBatch) -> None:
        """See BatchProvider."""
        with _errors():
            await self._plugin.cancel(batch)

    async def forget(self, submission: Submission) -> None:
        """See BatchProvider."""
        with _errors():
            await self._plugin.forget(submission)

    async def purge(self, batch: RemoteBatch, submission: Submission) -> Purged:
        """See BatchProvider."""
        with _errors():
            made = await self._plugin.purge(batch, submission)
        lists = (made.deleted, made.absent, made.problems)
        return Purged(*([_text(each, MAX_IDENTIFIER) for each in some[:MAX_FILES]] for some in lists))

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        """See BatchProvider."""
        try:
            with _errors():
                await self._plugin.download(batch, target)
        finally:
            # Also after a download that broke off: what it has written is used after an hour.
            await asyncio.shield(asyncio.to_thread(known().file, target))

    def account(self) -> Mapping[str, str]:
        """See BatchProvider. It needs no border: it is made from the plugin's own settings."""
        return self._plugin.account()

    async def aopen(self) -> None:
        """See BatchProvider."""
        await self._plugin.aopen()

    async def check(self, models: Sequence[str]) -> Sequence[str]:
        """See BatchProvider."""
        with _errors():
            return [_text(each, MAX_REASON) for each in await self._plugin.check(models)]

    async def aclose(self) -> None:
        """See BatchProvider."""
        await self._plugin.aclose()


def passed(status: BatchStatus) -> BatchStatus:
    """The status as it may be stored."""
    said: object = status.phase  # a plugin's, so it may be anything
    phase = said if isinstance(said, BatchPhase) else BatchPhase.IN_PROGRESS
    return BatchStatus(
        phase=phase,
        total=_count(status.total),
        completed=_count(status.completed),
        failed=_count(status.failed),
        problems=tuple(_problem(each) for each in status.problems[:MAX_PROBLEMS]),
        usage=_usage(status.usage),
        details=_details(status.details),
        answers_until=_moment(status.answers_until),
    )


def _usage(usage: Usage | None) -> Usage | None:
    if usage is None:
        return None
    tokens = (usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.cache_writes, usage.long_writes)
    return usage if all(type(each) is int and _count(each) == each for each in tokens) else None


def _moment(at: object) -> float | None:
    return float(at) if isinstance(at, int | float) and 0 < at <= MAX_MOMENT else None


def _count(number: object) -> int:
    return number if type(number) is int and 0 <= number <= MAX_COUNT else 0


def _problem(problem: Problem) -> Problem:
    param = None if problem.param is None else _text(problem.param, MAX_CODE)
    code, message = _text(problem.code, MAX_CODE), _text(problem.message, MAX_MESSAGE)
    return Problem(code, message, _count(problem.line) or None, param)


def _details(details: Any) -> dict[str, Json]:
    try:
        size = len(msgspec.json.encode(details))
    except (TypeError, ValueError, OverflowError, RecursionError):
        size = 0  # a fault of the plugin, which is reported where the details are stored
    if size > MAX_DETAILS:
        raise ProviderError(
            f"The provider describes the batch with {size / 1e6:.1f} MB, and batchd keeps at most 1 MB of it."
        )
    return covered(dict(details))


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_IDENTIFIER:
        raise TransientError(
            f"The provider names a batch or file by {_text(value, 100)!r}, which cannot be an id: that is text of at "
            f"most {MAX_IDENTIFIER:,} letters."
        )
    return value


def _text(value: object, most: int) -> str:
    return covered(str(value)[: 10 * most])[:most]


@contextmanager
def _errors() -> Iterator[None]:
    """Let exceptions through, with secrets covered and long texts and lists cut."""
    try:
        with never_exiting():
            yield
    except Exception as error:
        if all(isinstance(each, str) for each in error.args):
            error.args = tuple(_text(each, MAX_REASON) for each in error.args)
        else:
            error.args = (_text(error, MAX_REASON),)
        if isinstance(error, TransientError) and error.retry_after is not None:
            error.retry_after = error.retry_after if math.isfinite(error.retry_after) else None
        if isinstance(error, SubmissionRefused):
            error.problems = tuple(_problem(each) for each in error.problems[:MAX_PROBLEMS])
        raise
