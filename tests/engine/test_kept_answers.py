"""A job keeps its answers as they were downloaded, and its results refer to them."""

from __future__ import annotations

import io
import json
from typing import IO

import msgspec

from batchd import RemoteBatch
from batchd.answers.joining import ResultLine
from batchd.domain.lifecycle import Collect, Distribute, Redeliver
from batchd.secrets.known import remember
from batchd.testing.fakes import FakeProvider, FakeService
from batchd.work.collecting.sorted_answers import part_answers
from batchd.work.kept_answers import index_of
from batchd.work.part_files import decode_results, write_results

from .conftest import MakeHousehold, csv_of, route

REVIEWS = [f"review {number}" for number in range(7)]


def said(results: bytes) -> list[str]:
    """The texts in a file of provider's lines."""
    lines = [json.loads(line) for line in results.splitlines()]
    return [line["response"]["body"]["choices"][0]["message"]["content"] for line in lines]


async def test_the_same_bytes_again_are_delivered_whole_when_the_earlier_job_is_gone(
    make_household: MakeHousehold,
) -> None:
    household = make_household(routes=(route(sinks=("jsonl",)),))
    household.drop("reviews/first.csv", csv_of(REVIEWS))
    async with household.at_rest() as daemon:
        [first] = await daemon.context.store.jobs.ids()
        spool, parts = daemon.context.spool, await daemon.context.store.jobs.parts(first)
        lines = [line for part in parts for line in decode_results(spool.results(part)).values()]
        assert all(bytes(line.raw).startswith(b'["answers.') for line in lines)
        assert len(list(spool.all_kept_answers(first))) == 1
        household.drop("reviews/second.csv", csv_of(REVIEWS))
        await daemon.take_in()
        while not isinstance(await daemon.step(), Redeliver):
            pass
        spool.remove_job(first)
        await daemon.drain()
    files = household.outbox()
    assert said(files["reviews/second.results.jsonl"]) == [f"re: {review}" for review in REVIEWS]
    assert files["reviews/second.results.jsonl"] == files["reviews/first.results.jsonl"]
    assert household.service.executed.total() == len(REVIEWS)


async def test_answers_that_were_copied_to_their_parts_before_are_collected(make_household: MakeHousehold) -> None:
    household = make_household(routes=(route(sinks=("jsonl",)),))
    household.drop("reviews/may.csv", csv_of(REVIEWS))
    async with household.living() as daemon:
        await daemon.take_in()
        while not isinstance(await daemon.step(), Distribute):
            pass
        [job] = await daemon.context.store.jobs.ids()
        spool = daemon.context.spool
        for part in await daemon.context.store.jobs.parts(job):
            lines = [(row, line) for row, line, _ in part_answers(spool.answers(part))]
            assert len(lines) == part.rows
            spool.answers(part).write_bytes(b"".join(b"%d %b\n" % each for each in lines))
            index_of(spool.answers(part)).unlink()
        for kept in spool.all_kept_answers(job):
            kept.unlink()
    async with household.living() as daemon:
        await daemon.drain()
    assert said(household.outbox()["reviews/may.results.jsonl"]) == [f"re: {review}" for review in REVIEWS]
    assert household.service.executed.total() == len(REVIEWS)


async def test_a_batch_of_several_jobs_leaves_none_of_them_the_answers_of_another(
    make_household: MakeHousehold,
) -> None:
    household = make_household(routes=(route(sinks=("csv",)),))
    for name in ("one", "two"):
        household.drop(f"reviews/{name}.csv", csv_of([f"{name} {number}" for number in range(3)]))
    async with household.at_rest() as daemon:
        jobs = await daemon.context.store.jobs.ids()
        assert len({batch.key for job in jobs for batch in await daemon.context.store.batches.of_job(job)}) == 1
        folders = [daemon.context.spool.job(job) for job in jobs]
    texts = [b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()) for folder in folders]
    assert sorted((b"re: one" in text, b"re: two" in text) for text in texts) == [(False, True), (True, False)]


async def test_a_key_in_an_answer_is_covered_in_what_is_kept(make_household: MakeHousehold) -> None:
    key = "sk-kept-7Hq93bZt0pLx4"
    remember(key)
    household = make_household(routes=(route(sinks=("jsonl",)),))
    household.service.answer = lambda _: f"Your key is {key}"
    household.drop("reviews/may.csv", csv_of(REVIEWS))
    await household.work()
    assert b"Your key is ***" in household.outbox()["reviews/may.results.jsonl"]
    assert not [path for path in household.folder.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


class Listing(FakeProvider):
    """Answers the row “bad” with a list in place of an object, in each attempt."""

    async def download(self, batch: RemoteBatch, target: IO[bytes]) -> None:
        plain = io.BytesIO()
        await super().download(batch, plain)
        for line in plain.getvalue().splitlines():
            target.write((b"data: [%b]" % line if b"re: bad" in line else line) + b"\n")


async def test_a_list_in_place_of_an_answer_fails_its_row_and_not_the_delivery(make_household: MakeHousehold) -> None:
    service = FakeService()
    household = make_household(routes=(route(sinks=("jsonl",)),), service=service, provider=Listing(service))
    household.drop("reviews/may.csv", csv_of(["good", "bad", "fine"]))
    async with household.living() as daemon:
        await daemon.take_in()
        await daemon.drain(most=100)
        [job] = await daemon.context.store.jobs.ids()
        [part] = await daemon.context.store.jobs.parts(job)
        assert bytes(decode_results(daemon.context.spool.results(part))[1].raw) == b"null"
    lines = [json.loads(line) for line in household.outbox()["reviews/may.results.jsonl"].splitlines()]
    assert [line["response"] is not None for line in lines] == [True, False, True]
    assert lines[1]["error"]["code"] == "unreadable_line"


async def test_a_list_that_an_earlier_version_kept_does_not_stop_the_delivery(make_household: MakeHousehold) -> None:
    household = make_household(routes=(route(sinks=("jsonl",)),))
    household.drop("reviews/may.csv", csv_of(["good", "bad", "fine"]))
    async with household.living() as daemon:
        await daemon.take_in()
        while not isinstance(await daemon.step(), Collect):
            pass
        spool = daemon.context.spool
        [job] = await daemon.context.store.jobs.ids()
        [part] = await daemon.context.store.jobs.parts(job)
        lines = decode_results(spool.results(part))
        kept = msgspec.Raw(b'[{"custom_id":"%b-1"}]' % job.encode())
        lines[1] = ResultLine(1, False, code="unreadable_line", message="It is a list.", raw=kept)
        write_results(spool.results(part), lines.values())
        [rendered] = spool.results(part).parent.glob("*.piece.*.results.jsonl")
        rendered.unlink()
        await daemon.drain(most=100)
    rows = [json.loads(line) for line in household.outbox()["reviews/may.results.jsonl"].splitlines()]
    assert [row["response"] is not None for row in rows] == [True, False, True]
    assert rows[1]["error"] == {"code": "unreadable_line", "message": "It is a list."}
