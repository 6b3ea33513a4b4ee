"""A program sends rows, waits and gets them back; the daemon is a real one, with its page."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from batchd.client import (
    AsyncClient,
    Client,
    ClientError,
    JobIsHeld,
    JobWasRejected,
    NoSuchJob,
    NoSuchRoute,
    NotAllowed,
    NotReachable,
    RequestRefused,
    WaitedTooLong,
)
from batchd.client.core import Core, JobKey
from batchd.client.sync_client import SubmittedJob
from batchd.status.uploads import ReceivedFile

from ..cli.cli_kit import here
from .client_kit import Running, free_port, running

pytestmark = pytest.mark.slow

ROWS = [{"id": 1, "review": "good"}, {"id": 2, "review": "bad"}, {"id": 3, "review": None}]


def test_rows_come_back_with_their_answers(client: Client) -> None:
    job = client.submit(ROWS, route="reviews")
    status = job.wait(60)
    assert (status.state, status.id, status.source) == ("done", job.id, job.source)
    assert (status.rows["ok"], status.rows["failed"], status.rows["skipped"]) == (1, 1, 1)
    good, bad, empty = job.results()
    assert (good.row, good.ok, good.columns, good.answer) == (0, True, ROWS[0], {"answer": "re: good"})
    assert (bad.status, bad.answer) == ("failed", {"answer": None})
    assert bad.failure is not None
    assert (bad.failure.code, bad.failure.message) == ("refused", "The model declined.")
    assert empty.status == "skipped"
    assert good.as_dict() == {"id": 1, "review": "good", "answer": "re: good", "status": "ok", "error": None}


async def test_both_clients_and_all_forms_give_the_same(there: Running, client: Client, tmp_path: Path) -> None:
    # Where a loop runs already, as in a notebook, the client without await works too.
    rows = [{"id": number, "review": f"all {number}"} for number in range(3)]
    file = tmp_path / "rows of mine.csv"
    file.write_text("id,review\n" + "".join(f"{row['id']},{row['review']}\n" for row in rows))
    import pandas as pd  # large, and each process that runs tests imports all of them
    import polars as pl

    jobs = [client.submit(each, route="reviews") for each in (rows, iter(rows), pd.DataFrame(rows), pl.DataFrame(rows))]
    found = []
    for job in jobs:
        job.wait(60)
        found.append(job.results().to_list())
    async with AsyncClient(there.address, token=there.token) as other:
        asked = await other.submit(rows, route="reviews", name="async")
        assert (await asked.wait(60)).finished
        found.append(await asked.results().to_list())
        frame = await asked.results().to_polars()
        assert [row.answer["answer"] async for row in asked.results()] == ["re: all 0", "re: all 1", "re: all 2"]
    assert found == [found[0]] * 5
    assert [row["answer"] for row in found[0]] == ["re: all 0", "re: all 1", "re: all 2"]
    assert jobs[0].results().to_pandas().to_dict("records") == frame.to_dicts() == found[0]
    of_file = client.submit(str(file), route="reviews")
    assert of_file.wait(60).source == "reviews/rows of mine.csv"
    assert [row["answer"] for row in of_file.results().to_list()] == ["re: all 0", "re: all 1", "re: all 2"]
    assert [each.id for each in client.jobs("rows of mine")] == [of_file.id]
    again = client.job(str(of_file.id)[:6])
    assert [row.as_dict() for row in again.results()] == of_file.results().to_list()


def test_jobs_of_one_name_are_kept_apart(client: Client) -> None:
    jobs = [client.submit([{"review": f"same {number}"}], route="reviews", name="same") for number in range(4)]
    for number, job in enumerate(jobs):
        job.wait(60)
        assert [row.columns["review"] for row in job.results()] == [f"same {number}"]
    assert len({job.id for job in jobs}) == 4
    with pytest.raises(NoSuchJob, match="may mean any of|nosuch"):
        client.job("nosuch")


def test_an_estimate_is_that_of_the_command(client: Client, there: Running, tmp_path: Path) -> None:
    file = tmp_path / "may.csv"
    file.write_text("review\ngood\nfine\n")
    made = client.estimate(file, route="reviews")
    said = here("estimate", file, "--route", "reviews", "--json", config=there.folder / "config.toml").json()
    assert made.record == said
    assert (made.route, made.model, made.rows, made.requests, made.held) == ("reviews", "small", 2, 2, False)
    assert made.batch_most is not None
    held = client.estimate([{"review": "good"}], route="dear")
    assert held.held
    assert held.reason is not None
    with pytest.raises(RequestRefused, match="would be rejected"):
        client.estimate([{"other": "good"}], route="reviews")


def test_a_job_that_is_held_says_so_and_goes_on(client: Client) -> None:
    job = client.submit([{"review": "held"}], route="dear")
    with pytest.raises(JobIsHeld, match="batchd approve") as held:
        job.wait(60)
    assert held.value.job.needs_person
    with pytest.raises(WaitedTooLong):
        job.wait(0.2, when_held="wait")
    with pytest.raises(RequestRefused) as early:
        list(job.results())
    assert early.value.status == 409
    job.approve()
    assert job.wait(60).state == "done"


def test_a_file_that_cannot_be_read_is_rejected_with_its_reason(client: Client) -> None:
    job = client.submit([{"other": "good"}], route="reviews")
    with pytest.raises(JobWasRejected, match="review") as rejected:
        job.wait(60)
    assert rejected.value.job.state == "rejected"
    with pytest.raises(RequestRefused, match="was rejected"):
        list(job.results())


def test_who_waits_too_long_may_wait_again_or_cancel(client: Client) -> None:
    job = client.submit([{"review": "never"}], route="never")
    with pytest.raises(WaitedTooLong, match=r"is not finished after 0.3 s.*wait again") as late:
        job.wait(0.3)
    assert isinstance(late.value, TimeoutError)
    assert not late.value.job.finished
    while job.id is None:
        job.status()
    job.cancel()
    assert job.wait(60).state == "cancelled"
    assert len(list(job.results())) == 1
    with pytest.raises(RequestRefused, match="cancel"):
        job.cancel()


def test_what_is_wrong_is_said_in_words(there: Running, client: Client, tmp_path: Path) -> None:
    with pytest.raises(NoSuchRoute, match="There are: reviews, dear, never"):
        client.submit(ROWS, route="nosuch")
    with pytest.raises(NoSuchRoute, match="Say which route: reviews, dear, never"):
        client.submit(ROWS)
    assert client.routes() == ["reviews", "dear", "never"]
    with pytest.raises(FileNotFoundError):
        client.submit(tmp_path / "nosuch.csv", route="reviews")
    with pytest.raises(RequestRefused, match="never takes a file called"):
        client.submit(there.folder / "config.toml", route="reviews", name="x.part")
    with Client(there.address, token="wrong") as wrong, pytest.raises(NotAllowed, match="does not know this token"):
        wrong.routes()
    with Client(there.address, token=there.read_token) as reader:
        assert reader.routes()
        with pytest.raises(NotAllowed, match="but not give orders"):
            reader.submit(ROWS, route="reviews")
    nowhere = f"http://127.0.0.1:{free_port()}"
    with Client(nowhere, token="x") as away, pytest.raises(NotReachable, match="batchd run"):
        away.submit(ROWS, route="reviews")
    for address in ("ftp://x", "http://"):
        with pytest.raises(ClientError, match="is no address"):
            Client(address)
    with pytest.raises(ClientError, match="Name the daemon"):
        Client()


def test_an_answer_of_another_program_is_not_taken_for_batchds(there: Running, client: Client) -> None:
    # A path of the page itself: HTML, in place of JSON.
    with Client(f"{there.address}/jobs", token=there.token) as other, pytest.raises(ClientError):
        other.routes()


def test_a_file_that_is_taken_out_of_the_inbox_is_not_waited_for(there: Running) -> None:
    core = Core(there.address, there.token, None)
    # The word of an upload of which there is nothing: no file in the inbox, and no job.
    key = JobKey("reviews/x.jsonl", upload=ReceivedFile("reviews/x.jsonl", 5, 5).word)
    with pytest.raises(NoSuchJob, match="somebody has removed it"):
        SubmittedJob(core, key).wait(60)
    core.loop.run(core.close())
    core.loop.close()


def test_results_in_the_outbox_are_the_same(client: Client, there: Running) -> None:
    job = client.submit([{"review": "twofold"}], route="reviews", name="outbox")
    job.wait(60)
    [name] = [each for each in job.status().files if ".results." in each]
    text = (there.folder / "outbox" / name).read_text("utf-8-sig")
    assert "re: twofold" in text
    assert json.dumps(job.results().to_list()[0]["answer"]) == '"re: twofold"'


def test_a_daemon_that_is_started_again_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path / "shop") as first:
        client = Client(first.address, token=first.token)
        job = client.submit([{"review": "long"}], route="dear")
        with pytest.raises(JobIsHeld):
            job.wait(60)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(job.wait, 60, when_held="wait")
        with pytest.raises(NotReachable):
            job.status()
        core = client._core  # noqa: SLF001
        with pytest.raises(NotReachable, match="No batchd answers"):
            core.loop.run(core.wait(JobKey(job.source, job.id), None, "raise", away=0.2))
        with running(tmp_path / "shop", int(first.address.rpartition(":")[2])):
            job.approve()
            assert waiting.result(60).state == "done"
    client.close()
    client.close()
    with pytest.raises(ClientError, match="is closed"):
        client.routes()


async def test_who_gives_up_waiting_can_go_on(there: Running) -> None:
    async with AsyncClient(there.address, token=there.token) as client:
        job = await client.submit([{"review": "given up"}], route="never")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job.wait(), 0.2)
        await job.wait_for_id()
        await job.cancel()
        assert (await job.wait(60)).finished
