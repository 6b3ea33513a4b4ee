"""Pictures that are files: read once, beneath their folder, and the same in every attempt."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchd.domain.routing import PluginSpec
from batchd.model import Failure
from batchd.money.pictures import picture_counter, size_in
from batchd.money.tokens import counter
from batchd.testing.household import REVIEWS, Household
from batchd.work.pictures import PictureFolder, kind_of, with_pictures

pytestmark = pytest.mark.field("questions")


def png(width: int = 2, height: int = 2) -> bytes:
    """A small picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x10\x00\x20\x01\x01\x11\x00"
GIF = b"GIF89a\x20\x00\x10\x00"
WEBPS = (
    b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x1f\x00\x00\x0f\x00\x00",
    b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f" + (31 | 15 << 14).to_bytes(4, "little"),
    b"RIFF\x00\x00\x00\x00WEBPVP8 \x00\x00\x00\x00\x00\x00\x00\x9d\x01\x2a\x20\x00\x10\x00",
)


def body(name: str) -> bytes:
    piece = {"type": "image_url", "image_url": {"url": f"file:{name}", "detail": "low"}}
    return msgspec.json.encode({"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, piece]}]})


def sent(name: str, folder: PictureFolder | None) -> str:
    """What is sent for the picture, or why nothing is."""
    made = with_pictures(body(name), folder)
    if isinstance(made, Failure):
        assert made.code == "picture"
        return made.message
    return str(msgspec.json.decode(made)["messages"][0]["content"][1]["image_url"]["url"])


def data(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def test_a_file_is_put_into_the_request_as_it_was_read_first(tmp_path: Path) -> None:
    photos, copies = tmp_path / "photos", tmp_path / "job" / "pictures"
    (photos / "may").mkdir(parents=True)
    copies.parent.mkdir()
    folder = PictureFolder(str(photos), 10_000, str(copies))
    (photos / "may" / "cat.txt").write_bytes(png())
    assert sent("may/cat.txt", folder) == data(png())
    assert sent("may\\cat.txt", PictureFolder(str(photos), 10_000)) == data(png())
    (photos / "may" / "cat.txt").write_bytes(GIF)
    assert sent("may/cat.txt", folder) == data(png())
    (photos / "may" / "cat.txt").unlink()
    assert sent("may/cat.txt", folder) == data(png())
    assert [len(each.name) for each in copies.iterdir()] == [32]
    kinds = {png(): "image/png", JPEG: "image/jpeg", GIF: "image/gif", WEBPS[0]: "image/webp", b"%PDF-1.7": None}
    assert {content: kind_of(content) for content in kinds} == kinds
    responses = {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "file:may/cat.txt"}]}]}
    made = with_pictures(msgspec.json.encode(responses), folder)
    assert isinstance(made, bytes)
    assert data(png()).encode() in made


@pytest.mark.parametrize("name", ["./cat.png", ".\\cat.png", "./may/cat.png"])
def test_a_name_that_begins_at_the_folder_itself_is_the_name_without_that(tmp_path: Path, name: str) -> None:
    photos = tmp_path / "photos"
    (photos / "may").mkdir(parents=True)
    (photos / "cat.png").write_bytes(png())
    (photos / "may" / "cat.png").write_bytes(png())
    for copies in (None, str(tmp_path / "copies")):
        assert sent(name, PictureFolder(str(photos), 10_000, copies)) == data(png())


def test_what_is_no_picture_in_the_folder_fails_its_row(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(png())
    (photos / "link.png").symlink_to(tmp_path / "secret.png")
    (photos / "away").symlink_to(tmp_path)
    os.link(tmp_path / "secret.png", photos / "hard.png")
    os.mkfifo(photos / "pipe.png")
    (photos / "text.png").write_text("no picture")
    (photos / "large.png").write_bytes(png() + b"\0" * 10_000)
    faults = {
        "gone.png": "There is no picture “gone.png”",
        "deep/gone/gone.png": "There is no picture",
        "../secret.png": "no name of a picture",
        str(tmp_path / "secret.png"): "no name of a picture",
        "deep//x.png": "no name of a picture",
        "./../secret.png": "no name of a picture",
        f"./{tmp_path / 'secret.png'}": "no name of a picture",
        "./": "no name of a picture",
        "./link.png": "a link or a device",
        "./away/secret.png": "There is no picture",
        "link.png": "a link or a device",
        "away/secret.png": "There is no picture",
        "hard.png": "not a plain file",
        "pipe.png": "not a plain file",
        "deep": "not a plain file",
        "text.png": "no PNG, JPEG, GIF or WebP",
        "large.png": "bytes, and may have 10,000",
        "x" * 300: "There is no picture",
        "": "no name of a picture",
    }
    folder = PictureFolder(str(photos), 10_000, str(tmp_path / "copies"))
    wrong = [f"{name}: {said}" for name, words in faults.items() if words not in (said := sent(name, folder))]
    assert not wrong, "\n".join(wrong)
    assert not (tmp_path / "copies").exists() or len(list((tmp_path / "copies").iterdir())) <= 1
    assert "need the key `files`" in sent("cat.png", None)
    with pytest.raises(FileNotFoundError):  # a share that is gone for a moment is no fault of the row
        sent("cat.png", PictureFolder(str(tmp_path / "gone"), 10_000))
    plain = msgspec.json.encode({"messages": [{"role": "user", "content": 'He said "file:cat.png".'}]})
    assert with_pictures(plain, folder) == plain


def test_tokens_are_by_size_and_model() -> None:
    for content in (png(32, 16), JPEG, GIF, *WEBPS):
        assert size_in(content) == (32, 16), content
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF1234WEBPVP8 ", b"text"):
        with_nothing = {"image_url": {"url": data(content)}}
        assert picture_counter("gpt-4o")(with_nothing) == 85 + 170 * 4, content
    counts: dict[tuple[str, int, int, str], int] = {
        ("gpt-4o", 1_024, 1_024, "auto"): 765,
        ("gpt-4o", 2_048, 4_096, "high"): 1_105,
        ("gpt-4o", 2_048, 4_096, "low"): 85,
        ("gpt-4o-mini", 512, 512, "auto"): 8_500,
        ("gpt-5", 512, 512, "auto"): 210,
        ("gpt-4.1-mini", 1_024, 1_024, "auto"): 1_659,
        ("claude-sonnet-4-5", 1_000, 750, "auto"): 1_000,
        ("gemini-2.5-flash", 300, 300, "auto"): 258,
        ("gemini-2.5-flash", 960, 540, "auto"): 1_548,
        ("qwen3-vl-plus", 280, 280, "auto"): 100,
    }
    found = {
        each: picture_counter(each[0])({"image_url": {"url": data(png(each[1], each[2])), "detail": each[3]}})
        for each in counts
    }
    assert found == counts
    small, large = (
        counter("gpt-4o")(body("x").replace(b"file:x", data(png(*size)).encode()).replace(b"low", b"high"))
        for size in ((100, 100), (2_000, 2_000))
    )
    assert large - small == 170 * 3


async def test_a_whole_job_with_files_and_addresses(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.png").write_bytes(png())
    settings: dict[str, Any] = {"user": "{{ review }}?", "images": ["photo"], "image_detail": "low"}
    route = type(REVIEWS)(
        name="reviews",
        match=("reviews/**",),
        provider="fake",
        model="small",
        prompt=PluginSpec("template", settings),
        files=str(photos),
    )
    house = Household(tmp_path / "house", routes=[route])
    house.service.answer = lambda request: f"{len(request['messages'][-1]['content'])}"
    photo = ["cat.png", "https://x.test/dog.png", "", "gone.png", "ftp://x.test/a.png"]
    house.drop("reviews/may.csv", "review,photo\n" + "".join(f"r{n},{each}\n" for n, each in enumerate(photo)))
    async with house.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    [requests] = house.service.files.values()
    contents = [each["body"]["messages"][-1]["content"] for each in requests]
    text = [{"type": "text", "text": "r0?"}, {"type": "text", "text": "r1?"}]
    detail = {"detail": "low"}
    assert contents == [
        [text[0], {"type": "image_url", "image_url": {"url": data(png()), **detail}}],
        [text[1], {"type": "image_url", "image_url": {"url": "https://x.test/dog.png", **detail}}],
        "r2?",
    ]
    lines = house.outbox()["reviews/may.results.csv"].decode().splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == ["ok", "ok", "ok", "failed", "failed"]
    assert "There is no picture “gone.png”" in lines[4]
    assert "ftp://x.test/a.png" in lines[5]
