"""A download takes no more of the disk than the answers can have."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from batchd import RemoteBatch
from batchd.engine.answers_file import TooManyAnswers, bounded
from batchd.secrets.known import remember
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.testing.household import REVIEWS, Household
from batchd.work.collecting.answer_bounds import LaterBounds, answer_bounds

pytestmark = pytest.mark.field("hostile services")


def requests(path: Path, number: int = 1, *, url: str = "/v1/chat/completions", **body: Any) -> Path:
    lines = ({"custom_id": f"abcdefgh-{n}", "method": "POST", "url": url, "body": body} for n in range(number))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def total(path: Path, **body: Any) -> int:
    bounds = answer_bounds(requests(path, **body))
    assert bounds is not None
    return bounds.total


def test_the_bound_is_by_what_the_requests_ask_for(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    few = total(path, max_tokens=10)
    assert few < 100_000
    assert few < total(path, max_tokens=1_000) < total(path, max_completion_tokens=1_000, n=4) < total(path)
    assert total(path, max_tokens=1_000, logprobs=True, top_logprobs=20) > 20 * 1_000 * 100
    embeddings = {"url": "/v1/embeddings"}
    assert total(path, input="a, b", **embeddings) < total(path, input=["a"] * 100, **embeddings)
    assert total(path, max_tokens=10, number=100) > 40 * few
    assert answer_bounds(tmp_path / "gone") is None


@pytest.mark.parametrize("body", [{"max_tokens": "x"}, {"max_tokens": -1}, {"n": 10**30}, {"logprobs": "yes"}])
def test_odd_requests_have_a_bound_too(tmp_path: Path, body: dict[str, Any]) -> None:
    assert 0 < total(tmp_path / "requests.jsonl", **body) < 10**12


def test_what_is_too_much_is_refused_and_another_try_begins_anew(tmp_path: Path) -> None:
    sent = requests(tmp_path / "requests.jsonl", 3, max_tokens=10)
    bounds = LaterBounds(sent, requests=3, size=sent.stat().st_size)
    most = total(sent, number=3, max_tokens=10)
    assert bounds.least <= most
    file = io.BytesIO(b"before\n")
    file.seek(0, 2)
    target = bounded(file, bounds, provider="acme", requests=3)
    target.write(b"x" * most)
    with pytest.raises(TooManyAnswers, match="answers to these 3 requests"):
        target.write(b"x")
    target.seek(7)
    target.truncate()
    target.write(b"y\n")
    assert file.getvalue() == b"before\ny\n"


def test_requests_are_read_for_their_bounds_only_where_much_arrives(tmp_path: Path) -> None:
    few = LaterBounds(tmp_path / "gone", requests=2, size=100)
    bounded(io.BytesIO(), few, provider="acme", requests=2).write(b"x" * (few.least // 2))
    assert not few.begun
    much = bounded(io.BytesIO(), few, provider="acme", requests=2)
    assert much.write(b"x" * 10 * few.least) == 10 * few.least, "without the requests there are no bounds"


async def test_a_download_without_end_is_ended_and_said(tmp_path: Path) -> None:
    class Endless(FakeProvider):
        downloads = 0

        async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
            self.downloads += 1
            if self.downloads > 4:
                return await super().download(batch, target)
            while True:
                target.write(b"x" * 999_999 + b"\n")

    service = FakeService(lambda _: "fine")
    route = replace(REVIEWS, params={"max_tokens": 10})
    household = Household(tmp_path, service=service, provider=Endless(service), routes=[route])
    household.drop("reviews/may.csv", "review\ngood\n")
    await household.work()
    assert any(b"fine" in content for content in household.outbox().values())


async def test_a_key_in_packed_answers_is_covered(tmp_path: Path) -> None:
    key = "sk-packed-7Hq93bZt0pLx4"
    remember(key)

    class Packed(FakeProvider):
        async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
            plain = io.BytesIO()
            await super().download(batch, plain)
            target.write(gzip.compress(plain.getvalue()))

    service = FakeService(lambda _: f"Your key is {key}")
    household = Household(tmp_path, service=service, provider=Packed(service))
    household.drop("reviews/may.csv", "review\ngood\n")
    await household.work()
    assert b"Your key is ***" in household.outbox()["reviews/may.results.csv"]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
