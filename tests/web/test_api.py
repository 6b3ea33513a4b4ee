"""The JSON API: what the pages show, and a document that is true."""

from __future__ import annotations

import re
from typing import Any

from batchd.status.uploads import ReceivedFile
from batchd.web.application import ROUTES
from batchd.web.openapi import path_of

from ..cli.cli_kit import House
from .web_kit import Asker, served


async def test_the_document_has_every_route_and_no_other(finished: House) -> None:
    async with served(finished) as web:
        document = await web.program().json("/api/v1/openapi.json")
    written = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert written == {(each.method, path_of(each)) for each in ROUTES if each.path.startswith("/api/")}
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"]
            named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
    assert document["openapi"].startswith("3.1")


async def test_every_read_gives_what_the_document_says(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        program = web.program()
        document = await program.json("/api/v1/openapi.json")
        for path, methods in document["paths"].items():
            if "get" not in methods or path.endswith("/stream"):
                continue
            real = path.replace("{job}", finished_job).replace("{name}", "reviews/may.results.csv")
            real = real.replace("{upload}", ReceivedFile("reviews/may.csv", 1, 1).word)
            answer = await program.get(real)
            assert answer.status == 200, real
            assert answer.content_type in methods["get"]["responses"]["200"]["content"], real
            # Each parameter that is named is known: one that makes no sense is refused or has no effect.
            for each in methods["get"]["parameters"]:
                if each["in"] == "query":
                    assert (await program.get(f"{real}?{each['name']}=")).status == 200, (real, each)


async def test_what_a_page_shows_the_api_has(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        program = web.program()
        jobs = await program.json("/api/v1/jobs?group=done")
        assert (jobs["total"], jobs["page"], jobs["pages"], jobs["groups"]["done"]) == (1, 1, 1, 1)
        [listed] = jobs["jobs"]
        assert (listed["id"], listed["group"], listed["rows"]["ok"]) == (finished_job, "done", 4)
        job = (await program.json("/api/v1/jobs/may.csv"))["job"]
        assert [each["code"] for each in job["failures"]] == ["refused"]
        assert "reviews/may.results.csv" in [each["name"] for each in job["files"]]
        told = await program.json(f"/api/v1/jobs/{finished_job}/events?offset=1")
        assert told["total"] == len(told["events"]) + 1
        spending = await program.json("/api/v1/spending?by=route&days=5")
        assert [each["route"] for each in spending["sums"]] == ["reviews"]
        assert (await program.json("/api/v1/routes"))["routes"] == [{"name": "reviews", "match": ["reviews/**"]}]
        assert (await program.json("/api/v1"))["role"] == "order"


async def refused(program: Asker, path: str) -> Any:
    answer = await program.get(path)
    return answer.status, (await answer.json())["error"]["message"]


async def test_what_is_wrong_is_said_in_words(finished: House) -> None:
    async with served(finished) as web:
        program = web.program()
        assert await refused(program, "/api/v1/jobs?size=x") == (400, "“size” must be a whole number up to 200.")
        assert await refused(program, "/api/v1/jobs?size=201") == (400, "“size” must be a whole number up to 200.")
        assert await refused(program, "/api/v1/jobs?group=x") == (400, "There is no group “x”.")
        assert (await refused(program, "/api/v1/spending?by=x"))[0] == 400
        assert (await refused(program, "/api/v1/nosuch"))[0] == 404
        assert (await refused(program, "/api/v1/jobs/nosuch/events"))[0] == 404
        answer = await program.ask("DELETE", "/api/v1/jobs")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")


async def test_a_database_that_cannot_be_read_is_said(house: House) -> None:
    (house.state / "batchd.db").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    async with served(house) as web:
        program = web.program()
        answer = await program.get("/api/v1/jobs")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert (await program.get("/", Accept="text/html")).status == 503
        assert (await program.get("/healthz")).status == 200


async def test_readiness(house: House) -> None:
    async with served(house) as web:
        program = web.program()
        assert (await program.get("/readyz")).status == 200
        web.daemon.is_ready = False
        assert (await program.get("/readyz")).status == 503
