"""The base class of sinks that send rows in pages, such as to a service: each page has a key that never changes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from .errors import TransientError
from .plugin_base import SettingsT
from .receipts import Receipt
from .sinks import DeliveryJob, ResultRow, ResultRows, Sink

_MAX_JOBS = 100
"""Jobs whose sent pages are remembered."""
_LONGEST_PAUSE = 30.0
"""Seconds. For a longer pause that the receiver asks for, `publish` raises: batchd does other work meanwhile."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Page:
    """Some consecutive rows of a job. `number` counts from 1; `names` are those of all columns, and all different.

    `key` is the same whenever the same rows are sent again, so a receiver can skip a page whose key it has seen.
    """

    job: DeliveryJob
    number: int
    last: bool
    key: str
    names: Sequence[str]
    rows: Sequence[ResultRow]
    encoded: Sequence[bytes]
    """Each row as JSON: `{"row": 17, "values": {"id": …, "answer": …, "status": "ok", "error": null}}`."""

    def json(self) -> bytes:
        """The page as a JSON object, with the facts of its job."""
        job = self.job
        head = {
            "job": job.id,
            "source": job.source,
            "route": job.route,
            "provider": job.provider,
            "model": job.model,
            "page": self.number,
            "last": self.last,
            "key": self.key,
            "columns": list(self.names),
        }
        return _as_json(head)[:-1] + b',"rows":[' + b",".join(self.encoded) + b"]}"


class PagedSink(Sink[SettingsT]):
    """Sends a job's rows in pages, in order. Override `send`, or `write` for code that blocks.

    After a fault it goes on with the page that failed; after a crash it sends all pages again, with the same keys.
    """

    page_rows: int = 500
    """Rows in a page, at most."""
    page_bytes: int = 1_000_000
    """Bytes of the rows of a page as JSON, at most, unless one row alone has more."""
    pauses: ClassVar[Sequence[float]] = (1.0, 4.0)
    """Seconds to wait before each further try of a page, unless the receiver asks for another pause."""

    async def send(self, page: Page) -> None:
        """Send a page; return once the receiver has it for good. The same page may come again, with the same `key`.

        After a `TransientError` the page is sent again, after each of `pauses` and then at ever longer intervals. By
        default calls `write` in a thread.
        """
        await asyncio.to_thread(self.write, page)

    def write(self, page: Page) -> None:
        """The same for code that blocks: it runs in a thread."""
        raise NotImplementedError(f"{type(self).__name__} must have a method send(page), or write(page).")

    def receipt(self, job: DeliveryJob, rows: int) -> Receipt | None:
        """Where the rows of the job are now."""
        return None

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> Receipt | None:
        """See Sink."""
        sent = self._sent.pop(job.id, [])
        self._sent[job.id] = sent
        while len(self._sent) > _MAX_JOBS:
            del self._sent[next(iter(self._sent))]
        count = 0
        async for page in self._pages(job, rows):
            count += len(page.rows)
            if sent[page.number - 1 : page.number] == [page.key]:
                continue
            del sent[page.number - 1 :]
            await self._send(page)
            sent.append(page.key)
        del self._sent[job.id]
        return self.receipt(job, count)

    async def _send(self, page: Page) -> None:
        for pause in self.pauses:
            try:
                return await self.send(page)
            except TransientError as error:
                asked = error.retry_after
                if asked is not None and asked > _LONGEST_PAUSE:
                    raise
            await asyncio.sleep(pause if asked is None else asked)
        return await self.send(page)

    async def _pages(self, job: DeliveryJob, rows: ResultRows) -> AsyncIterator[Page]:
        names = rows.names
        batch: list[ResultRow] = []
        encoded: list[bytes] = []
        size = number = 0

        def page(*, last: bool) -> Page:
            # The key depends on the content alone: rows that were asked again are another page, also after a change of
            # settings.
            content = hashlib.sha256(b"\n".join(encoded)).hexdigest()
            key = f"batchd-{job.id}-{batch[0].number}-{content[:32]}"
            return Page(job, number, last, key, names, batch, encoded)

        async for row in rows:
            line = _as_json({"row": row.number, "values": row.as_dict()})
            if batch and (len(batch) >= self.page_rows or size + len(line) > self.page_bytes):
                number += 1
                yield page(last=False)
                batch, encoded, size = [], [], 0
            batch.append(row)
            encoded.append(line)
            size += len(line) + 1
        if batch:
            number += 1
            yield page(last=True)

    @property
    def _sent(self) -> dict[str, list[str]]:
        # Made on first use, so that a subclass may have a constructor of its own.
        found: dict[str, list[str]] = self.__dict__.setdefault("_sent_pages", {})
        return found


def _as_json(value: object) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # A lone surrogate, which only Python's own json writes.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
