"""The sink `webhook`: pages that the receiver knows again, and a receiver that is busy or moves."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest
from pydantic import ValidationError

from batchd import Receipt, RejectedError, TransientError
from batchd.testing.conformance import SinkConformance
from batchd.testing.outbox import MemoryOutbox, many_rows, sample_job, sample_rows
from batchd_sinks.webhook_sink import WebhookSink

from .receiver import Answer, Receiver

pytestmark = pytest.mark.field("results")


class Impatient(WebhookSink):
    """Waits for nothing before it tries a page again."""

    pauses = (0.0, 0.0)


def sink_for(receiver: Receiver, **settings: Any) -> WebhookSink:
    return Impatient(WebhookSink.Settings(url=receiver.url, secret="s3cret", **settings))


@asynccontextmanager
async def posting(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[WebhookSink, Receiver]]:
    """A sink, and the receiver that it posts to."""
    with closing(Receiver(*answers)) as receiver:
        sink = sink_for(receiver, **settings)
        yield sink, receiver
        await sink.aclose()


@pytest.mark.slow
class TestWebhook(SinkConformance):
    module = "batchd_sinks"
    rows_to_compare = (2_000, 8_000)

    def setup_method(self) -> None:
        self.receiver = Receiver()

    def teardown_method(self) -> None:
        self.receiver.close()
        super().teardown_method()

    def make(self) -> WebhookSink:
        return sink_for(self.receiver)

    def seen(self) -> Any:
        return dict(self.receiver.pages)


async def test_it_posts_no_faster_than_it_may() -> None:
    async with posting(page_rows=2, per_second=50) as (sink, receiver):
        began = time.monotonic()
        await sink.publish(sample_job(MemoryOutbox()), sample_rows())
        assert (len(receiver.pages), time.monotonic() - began >= 3 / 50) == (4, True)


async def test_the_receiver_gets_each_row_with_the_facts_of_its_job() -> None:
    async with posting(page_rows=3) as (sink, receiver):
        receipt = await sink.publish(sample_job(MemoryOutbox()), sample_rows())
    assert receipt == Receipt(receiver.url.removesuffix("/in"), rows=7)
    first, *_, last = receiver.pages.values()
    assert first.pop("rows")[0] == {
        "row": 0,
        "values": {"id": "1", "review": "Great, really.", "answer": "good", "score": 3, "status": "ok", "error": None},
    }
    assert first == {
        "job": "job", "source": "reviews/may.csv", "route": "reviews", "provider": "acme", "model": "small", "page": 1,
        "last": False, "key": receiver.requests[0][0]["Idempotency-Key"],
        "columns": ["id", "review", "answer", "score", "status", "error"],
    }  # fmt: skip
    assert (last["page"], last["last"], len(last["rows"])) == (3, True, 1)


async def test_a_receiver_that_is_often_busy_gets_every_row_once() -> None:
    busy = [Answer(429, {"Retry-After": "0"}), Answer(503), Answer(500)]
    tries, received = 0, False
    async with posting(*[Answer(), *busy] * 4, page_rows=2) as (sink, receiver):
        while not received:
            tries += 1
            with suppress(TransientError):
                received = await sink.publish(sample_job(MemoryOutbox()), many_rows(12)) is not None
    taken = [json.loads(content)["page"] for _, content in receiver.requests]
    assert [row["row"] for row in receiver.rows] == list(range(12))
    assert sorted(set(taken)) == [1, 2, 3, 4, 5, 6]
    assert taken == sorted(taken), "no page that was taken is sent again"
    assert tries > 1


async def test_a_refusal_is_no_reason_to_go_on_with_the_next_page() -> None:
    async with posting(Answer(), Answer(413), page_rows=2) as (sink, receiver):
        with pytest.raises(RejectedError, match=r"takes no content of \d+ bytes"):
            await sink.publish(sample_job(MemoryOutbox()), many_rows(12))
    assert len(receiver.requests) == 2


def test_the_settings_are_those_of_a_safe_address() -> None:
    settings = WebhookSink.Settings
    for wrong in ({"url": "http://example.org/x"}, {"url": "ftp://x"}, {"url": "x"}, {"page_rows": 0}):
        with pytest.raises(ValidationError):
            settings(**({"url": "https://example.org", "secret": "s"} | wrong))
