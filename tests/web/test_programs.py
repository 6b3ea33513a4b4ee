"""What programs send and get by rows: estimates, the job of an upload, results."""

from __future__ import annotations

import json
import os
from typing import Any

from batchd.status.uploads import ReceivedFile

from ..cli.cli_kit import House, drain, reviews_service
from .web_kit import Asker, served

PUT = "/api/v1/routes/reviews/files"


async def sent(program: Asker, content: bytes) -> dict[str, Any]:
    answer = await program.ask("PUT", f"{PUT}/may.csv", data=content)
    assert answer.status == 201
    told: dict[str, Any] = await answer.json()
    return told


async def test_an_upload_is_followed_to_its_job(house: House) -> None:
    async with served(house) as web:
        program = web.program()
        first = await sent(program, b"review\ngood\n")
        look = f"/api/v1/uploads/{first['upload']}"
        assert await program.json(look) == {"place": "reviews/may.csv", "job": None, "waits_in_inbox": True}
        jobs = []
        for upload in (first, None):
            # The second has the name, the size and nearly the time of the first, which is a job already.
            if upload is None:
                upload = await sent(program, b"review\nfine\n")
                assert (await program.json(f"/api/v1/uploads/{upload['upload']}"))["job"] is None
            async with house.living() as living:
                before = await living.context.store.jobs.ids()
                await living.take_in()
                [job] = await living.context.store.jobs.ids() - before
                await drain(living)
            told = await program.json(f"/api/v1/uploads/{upload['upload']}")
            assert told == {"place": "reviews/may.csv", "job": job, "waits_in_inbox": False}
            jobs.append(job)
        assert len(set(jobs)) == 2
        # Somebody has taken it out of the inbox.
        gone = await sent(program, b"review\nand gone\n")
        (house.folders.inbox / gone["place"]).unlink()
        told = await program.json(f"/api/v1/uploads/{gone['upload']}")
        assert (told["job"], told["waits_in_inbox"]) == (None, False)
        assert (await program.get("/api/v1/uploads/nosuch")).status == 404


async def test_another_file_of_its_place_and_size_is_not_the_upload(house: House) -> None:
    async with served(house) as web:
        program = web.program()
        first = await sent(program, b"review\ngood\n")
        look, path = f"/api/v1/uploads/{first['upload']}", house.folders.inbox / first["place"]
        assert (await program.json(look))["waits_in_inbox"] is True
        path.write_bytes(b"review\nfine\n")
        later = ReceivedFile.of(first["upload"]).changed + 10**9
        os.utime(path, ns=(later, later))
        assert (await program.json(look))["waits_in_inbox"] is False


async def test_a_file_of_another_size_is_another_file(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        program = web.program()
        job = (await program.json(f"/api/v1/jobs/{finished_job}"))["job"]
        assert (job["id"], job["group"]) == (finished_job, "done")
        word = ReceivedFile("reviews/may.csv", 1, 1).word
        assert (await program.json(f"/api/v1/uploads/{word}"))["job"] is None


async def test_an_estimate_keeps_nothing_of_the_file(house: House) -> None:
    async with served(house, max_upload=100) as web:
        program = web.program()
        ask = "/api/v1/routes/reviews/estimates"
        answer = await program.ask("POST", f"{ask}/..%2F..%2Fmay.csv", data=b"review\ngood\n")
        assert (answer.status, await answer.json()) == (200, {"file": "may.csv", "route": "reviews", "bytes": 12})
        assert not list(house.folders.inbox.rglob("*.csv"))
        answer = await program.ask("POST", "/api/v1/routes/other/estimates/may.csv", data=b"x")
        assert (answer.status, "There are: reviews." in await answer.text()) == (404, True)
        assert (await program.ask("POST", f"{ask}/may.csv", data=b"x" * 101)).status == 413


async def test_results_are_the_rows_of_the_file_with_their_answers(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        answer = await web.program().get(f"/api/v1/jobs/{finished_job}/results")
    assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
    rows = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [row["row"] for row in rows] == list(range(5))
    assert rows[0] == {
        "row": 0,
        "status": "ok",
        "columns": {"id": "0", "review": "good"},
        "answer": {"answer": "re: Review: good"},
        "failure": None,
    }
    assert (rows[2]["status"], rows[2]["answer"]) == ("failed", {"answer": None})
    assert rows[2]["failure"] == {"code": "refused", "message": "The model declined."}


async def test_without_results_it_says_why(tmp_path: Any) -> None:
    house = House(tmp_path / "house", service=reviews_service())
    house.drop("reviews/may.csv", "review\ngood\n")
    said = []
    async with served(house) as web:
        program = web.program()

        async def refused() -> None:
            answer = await program.get("/api/v1/jobs/may.csv/results")
            assert answer.status == 409
            said.append((await answer.json())["error"]["message"])

        async with house.living() as living:
            await living.take_in()
        await refused()
        async with house.living() as living:
            await drain(living)
            [job] = await living.context.store.jobs.ids()
            living.context.spool.remove_job(job)
            await living.context.store.jobs.swept([job])
        await refused()
    assert "is not finished" in said[0]
    assert "keep_finished" in said[1]
