"""Files that come in and go out over the page."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiohttp import ClientError, FormData, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from batchd.web.answers import Refused
from batchd.web.desk import Desk
from batchd.web.receiving import from_form
from batchd.web.tokens import Key, WebRole
from batchd.web.visitor import Visitor

from ..cli.cli_kit import House
from ..live.virtual_time import run
from .web_kit import served


async def test_results_are_downloads(finished: House, finished_job: str) -> None:
    async with served(finished) as web:
        program = web.program()
        for name in ("reviews/may.results.csv", "reviews/may.failed.csv", "reviews/may.report.json"):
            answer = await program.get(f"/jobs/{finished_job}/files/{name}")
            assert answer.status == 200
            assert await answer.read() == (finished.folders.outbox / name).read_bytes()
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{name.rpartition("/")[2]}"'


async def test_nothing_else_can_be_downloaded(finished: House, finished_job: str) -> None:
    outside = finished.folder / "secret"
    outside.write_text("secret")
    link = finished.folders.outbox / "reviews" / "link.csv"
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    async with served(finished) as web:
        program = web.program()
        faults = []
        for name in (
            "../config.toml",
            "..%2F..%2Fconfig.toml",
            "reviews/../../config.toml",
            "%2Fetc%2Fpasswd",
            "/etc/passwd",
            "reviews/link.csv",
            "reviews/may.results.csv%00.csv",
            "reviews/may.results.csv/",
            "may.results.csv",
            "reviews/./may.results.csv",
        ):
            answer = await program.get(f"/jobs/{finished_job}/files/{name}")
            if answer.status not in (404, 405) and not (name == "reviews/./may.results.csv" and answer.status == 200):
                faults.append(f"{name}: {answer.status}")
        assert not faults, "\n".join(faults)
        results = finished.folders.outbox / "reviews" / "may.results.csv"
        content = results.read_bytes()
        try:
            results.unlink()
            results.symlink_to(outside)
            assert (await program.get(f"/jobs/{finished_job}/files/reviews/may.results.csv")).status == 404
        finally:
            results.unlink()
            results.write_bytes(content)


async def test_an_upload_lies_in_the_inbox_under_its_name(house: House) -> None:
    async with served(house) as web:
        program = web.program()
        put = "/api/v1/routes/reviews/files"
        answer = await program.ask("PUT", f"{put}/may.csv", data=b"review\ngood\n")
        told = await answer.json()
        assert (answer.status, told.pop("upload") != "", told) == (201, True, {"place": "reviews/may.csv", "bytes": 12})
        # Nothing is overwritten.
        answer = await program.ask("PUT", f"{put}/may.csv", data=b"review\nbad\n")
        assert (await answer.json())["place"] == "reviews/may (2).csv"
        assert web.daemon.drops == 2
        browser = await web.browser()
        # As browsers write names.
        form = FormData(quote_fields=False)
        form.add_field("form_token", browser.form_token)
        form.add_field("route", "reviews")
        form.add_field("file", b"review\nso so\n", filename="tháng năm.csv")
        answer = await browser.post("/upload", form)
        assert answer.status == 303, await answer.text()
        assert "reviews/tháng năm.csv is in the inbox" in await browser.text(answer.headers["Location"])
    inbox = house.folders.inbox
    assert {path.relative_to(inbox).as_posix(): path.read_bytes() for path in inbox.rglob("*") if path.is_file()} == {
        "reviews/may.csv": b"review\ngood\n",
        "reviews/may (2).csv": b"review\nbad\n",
        "reviews/tháng năm.csv": b"review\nso so\n",
    }


async def test_hostile_uploads(house: House) -> None:
    async with served(house, max_upload=1_000) as web:
        program = web.program()
        put = "/api/v1/routes/reviews/files"
        faults = []
        for name, content, status, place in (
            ("..%2F..%2F..%2Fetc%2Fpasswd.csv", b"x", 201, "reviews/passwd.csv"),
            ("..%5C..%5Cevil.csv", b"x", 201, "reviews/evil.csv"),
            ("%2Fetc%2Fa.csv", b"x", 201, "reviews/a.csv"),
            ("CON.csv", b"x", 201, "reviews/CON_.csv"),
            ("%22what%3F%22.csv", b"x", 201, "reviews/_what__.csv"),
            ("a%0D%0ASet-Cookie:%20x=y.csv", b"x", 201, "reviews/a__Set-Cookie_ x=y.csv"),
            ("%E2%80%AEvsc.jpg", b"x", 201, "reviews/_vsc.jpg"),
            ("%FF.csv", b"x", 201, None),
            ("a" * 300 + ".csv", b"x", 201, None),
            (".htaccess", b"x", 201, "reviews/_htaccess"),
            ("may.csv.part", b"x", 400, None),
            ("may.report.json", b"x", 400, None),
            ("%00.csv", b"x", 201, "reviews/_.csv"),
            ("..", b"x", 404, None),
            ("%2E%2E%2F", b"x", 400, None),
            ("%20", b"x", 400, None),
            ("big.csv", b"x" * 1_001, 413, None),
            ("huge.csv", b"x" * 1_000_000, 413, None),
        ):
            answer = await program.ask("PUT", f"{put}/{name}", data=content)
            found = (await answer.json()).get("place")
            if answer.status != status or (place and found != place):
                faults.append(f"{name[:40]}: {answer.status} {found} {await answer.text()}")

        async def without_a_length() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 100

        answer = await program.ask("PUT", f"{put}/chunked.csv", data=without_a_length())
        assert answer.status == 413
        assert (await program.ask("PUT", "/api/v1/routes/other/files/x.csv", data=b"x")).status == 404
        assert (await program.ask("PUT", f"{put}/z.csv", data=b"x", **{"Content-Encoding": "gzip"})).status == 415
        browser = await web.browser()
        for field in ("form_token", "wrong"):
            form = FormData()
            form.add_field(field, "0" * 64)
            form.add_field("route", "reviews")
            form.add_field("file", b"x", filename="forged.csv")
            assert (await browser.post("/upload", form)).status == 403
        form = FormData()
        form.add_field("file", b"x", filename="first.csv")
        form.add_field("form_token", browser.form_token)
        assert (await browser.post("/upload", form)).status == 403
        answer = await browser.ask("POST", "/upload", data=b"--x\r\n", **{"Content-Type": "multipart/form-data"})
        assert answer.status == 400
        # What an upload's handler looks at itself is looked at for every other form by the guard.
        form = FormData()
        form.add_field("file", b"x", filename="x.csv")
        assert (await browser.post("/logout", form)).status == 403
        assert not faults, "\n".join(faults)
    left = [path for path in house.folders.inbox.rglob("*") if path.is_file()]
    assert all(path.parent == house.folders.inbox / "reviews" for path in left)
    assert not [path for path in left if path.name.startswith(".") or b"xx" in path.read_bytes()]


async def test_the_fields_of_a_form_are_few_and_short(house: House) -> None:
    async with served(house) as web:
        browser = await web.browser()
        for fields, status, words in (
            ([("route", "reviews"), *[("more", "x")] * 18], 303, ""),
            ([("route", "reviews"), *[("more", "x")] * 19], 413, "more than 20 fields"),
            ([("route", "reviews"), *[("more", "")] * 5_000], 413, "more than 20 fields"),
            ([("route", "reviews"), ("more", "x" * 4_096)], 303, ""),
            ([("route", "reviews"), ("more", "x" * 4_097)], 413, "longer than 4,096 bytes"),
            ([("route", "reviews"), ("more", "x" * 900_000)], 413, "longer than 4,096 bytes"),
        ):
            form = FormData()
            for name, value in [("form_token", browser.form_token), *fields]:
                form.add_field(name, value)
            form.add_field("file", b"review\ngood\n", filename="may.csv")
            answer = await browser.post("/upload", form)
            assert (answer.status, words in await answer.text()) == (status, True), (len(fields), await answer.text())
    # The two with 303.
    assert len(list((house.folders.inbox / "reviews").iterdir())) == 2


@pytest.mark.parametrize(
    ("arrived", "status", "words"),
    [
        (b"", 408, "did not arrive in time"),
        (b'--x\r\nContent-Disposition: form-data; name="route"\r\n\r\nrevi', 408, "did not arrive in time"),
        (b'--x\r\nContent-Disposition: form-data; name="route"\r\n\r\nreviews\r\n--x\r\n', 408, "did not arrive"),
        (b"--x\r\n" + b"X: y\r\n" * 1_000, 400, "This is no form"),
    ],
)
def test_a_form_that_stops_coming_is_given_up(arrived: bytes, status: int, words: str) -> None:
    async def ask() -> None:
        loop = asyncio.get_running_loop()
        connection = BaseProtocol(loop)
        connection.connection_made(asyncio.Transport())
        body = StreamReader(connection, 1 << 16, loop=loop)
        body.feed_data(arrived)
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        request = make_mocked_request("POST", "/upload", headers, payload=body)
        async with asyncio.timeout(86_400):
            # It never comes to the file, so nothing is asked of the desk.
            await from_form(cast("Desk", None), request, Visitor(WebRole.ORDER, "anna", Key(WebRole.ORDER, b"")))

    with pytest.raises(Refused) as refused:
        run(ask())
    assert (refused.value.status, words in refused.value.sentence) == (status, True), refused.value.sentence


async def test_an_upload_that_breaks_off_leaves_nothing(house: House) -> None:
    async with served(house) as web:
        reader, writer = await asyncio.open_connection("127.0.0.1", web.server.port)
        token = web.tokens[WebRole.ORDER]
        writer.write(
            b"PUT /api/v1/routes/reviews/files/may.csv HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
            + f"Authorization: Bearer {token}\r\n\r\nreview\n".encode()
        )
        folder = house.folders.inbox / "reviews"
        async with asyncio.timeout(5):
            while not list(folder.glob(".batchd-upload-*.part")):
                await asyncio.sleep(0.01)
            writer.close()
            while list(folder.iterdir()):
                await asyncio.sleep(0.01)
        del reader
        assert web.daemon.drops == 0


async def test_an_inbox_that_is_not_there_is_said(house: House) -> None:
    house.folders.inbox.rmdir()
    async with served(house) as web:
        answer = await web.program().ask("PUT", "/api/v1/routes/reviews/files/may.csv", data=b"x")
        assert answer.status == 507
        assert "is its share mounted?" in await answer.text()
    assert not house.folders.inbox.exists()


async def test_a_download_that_breaks_off_looks_so(finished: House, finished_job: str) -> None:
    results = finished.folders.outbox / "reviews" / "may.results.csv"
    content = results.read_bytes()
    try:
        os.truncate(results, 100_000_000)
        async with served(finished) as web:
            program = web.program()
            answer = await program.client.get(
                f"/jobs/{finished_job}/files/reviews/may.results.csv", headers=program.headers
            )
            assert answer.content_length == 100_000_000
            os.truncate(results, 0)
            with pytest.raises(ClientError):
                while await answer.content.read(1 << 20):
                    pass
            answer.close()
    finally:
        results.write_bytes(content)


async def test_what_a_killed_daemon_left_of_an_upload_is_removed(house: House) -> None:
    folder = house.folders.inbox / "reviews"
    folder.mkdir()
    old, fresh, theirs = (folder / name for name in (".batchd-upload-1.part", ".batchd-upload-2.part", ".may.csv.part"))
    for each in (old, fresh, theirs):
        each.write_bytes(b"half")
    for each in (old, theirs):
        os.utime(each, (1.0, 1.0))
    async with served(house) as web:
        answer = await web.program().ask("PUT", "/api/v1/routes/reviews/files/may.csv", data=b"x")
        assert answer.status == 201
    assert sorted(path.name for path in folder.iterdir()) == [fresh.name, theirs.name, "may.csv"]
