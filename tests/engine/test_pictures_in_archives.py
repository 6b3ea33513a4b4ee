"""Pictures in the same archive as the table: kept with the job, bounded, never a path, counted in estimates and tries."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from batchd.contracts import Limits
from batchd.domain.routing import PluginSpec
from batchd.money.pictures import picture_counter
from batchd.testing.household import REVIEWS, Household
from batchd.values import replace
from batchd.work.planning.estimate import CountTask, count

pytestmark = pytest.mark.field("files")

ROUTE = replace(
    REVIEWS,
    formats=("csv", "zip"),
    max_file_bytes=4_000,
    prompt=PluginSpec("template", {"user": "What is it? {{ id }}", "images": ["photo"]}),
)


def png(width: int, height: int, *, more: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"\0" * more) + chunk(b"IEND", b"")


CAT, DOG = png(600, 400), png(30, 20)
NAMES = ["photos/cat.png", "photos\\cat.png", "./photos/cat.png", "data/photos/cat.png", "photos/large.png", "gone.png",
         "../evil.png", "photos/link.png", "photos/text.png", ""]  # fmt: skip


def archive() -> bytes:
    """A table with pictures beside it, among them hostile ones."""
    file = io.BytesIO()
    table = "id,photo\n" + "".join(f"{number},{name}\n" for number, name in enumerate(NAMES))
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("data/may.csv", table)
        made.writestr("data/photos/cat.png", CAT)
        made.writestr("data/photos/large.png", png(3, 3, more=5_000))
        made.writestr("../evil.png", DOG)
        made.writestr("data/photos/text.png", "text")
        link = zipfile.ZipInfo("data/photos/link.png")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
        made.writestr("data/readme.txt", "Not a picture.")
    return file.getvalue()


def pictures(house: Household) -> list[list[str]]:
    contents: list[Any] = list(house.asked())
    return [[each["image_url"]["url"] for each in content if "image_url" in each] for content in contents]


async def test_pictures_of_an_archive_are_sent_with_their_rows(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[ROUTE])
    house.drop("reviews/may.zip", archive())
    await house.work()
    rows = house.results()
    wanted = ["ok"] * 4 + ["failed"] * 5 + ["ok"]
    assert [row["status"] for row in rows] == wanted, [row["error"] for row in rows]
    cat = f"data:image/png;base64,{base64.b64encode(CAT).decode()}"
    assert pictures(house)[:4] == [[cat]] * 4
    said = {row["photo"]: row["error"] for row in rows}
    assert "5,0" in said["photos/large.png"]
    assert "may have 4,000" in said["photos/large.png"]
    assert "There is no picture “gone.png” in the archive" in said["gone.png"]
    assert "There is no picture" in said["../evil.png"]
    for name in ("photos/link.png", "photos/text.png"):
        assert "no PNG, JPEG, GIF or WebP" in said[name]
    assert house.report("reviews/may.report.json")["reading"]["pictures"] == 4
    assert not list(tmp_path.rglob("evil.png"))


def test_an_estimate_counts_them_by_their_size(tmp_path: Path) -> None:
    (tmp_path / "may.zip").write_bytes(archive())
    (tmp_path / "folder").mkdir()
    task = CountTask(
        source=tmp_path / "may.zip",
        name="may.zip",
        folder=tmp_path / "folder",
        reader=PluginSpec(""),
        builder=ROUTE.prompt,
        common={"model": "gpt-4o"},
        endpoint="/v1/chat/completions",
        max_line_bytes=None,
        models={"gpt-4o": "gpt-4o"},
        formats=ROUTE.formats,
        max_file_bytes=4_000,
    )
    counted = count(task)
    assert (counted.requests, counted.failed["picture"]) == (5, 5)
    cat = picture_counter("gpt-4o")({"image_url": {"url": f"data:image/png;base64,{base64.b64encode(CAT).decode()}"}})
    assert 4 * cat <= counted.loads["gpt-4o"].input_tokens < 4 * cat + 5 * 30


async def test_a_picture_that_makes_the_request_too_long_is_named(tmp_path: Path) -> None:
    house = Household(tmp_path, routes=[replace(ROUTE, max_file_bytes=9_000)], limits=Limits(max_line_bytes=4_000))
    house.drop("reviews/may.zip", archive())
    await house.work()
    text = house.outbox()["reviews/may.failed.csv"].decode("utf-8-sig")
    assert "photos/large.png" in text
    report = house.report("reviews/may.report.json")
    [said] = [each["example"] for each in report["failures"] if each["code"] == "too_long"]
    assert "Save the picture smaller" in said
