"""What is compressed or in an archive is read as the table that it is, or refused in words; files a route does not take."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from batchd.domain.routing import PluginSpec
from batchd.errors import FileRefused
from batchd.people.reasons import reason_in
from batchd.work.reading.read import ReadDone, ReadTask, read

pytestmark = pytest.mark.field("files")
CSV = b"id,text\n1,one\n2,two\n"
ROWS = [["1", "one"], ["2", "two"]]
BUILDER = PluginSpec("template", {"user": "{{ text }}"})


class Desk:
    """Reads files as a worker does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: ReadDone

    def read(self, name: str, content: bytes, formats: list[str] | None = None, **reader: Any) -> list[Any]:
        """The rows of a file that was dropped with this name."""
        source, target = self.folder / "source", self.folder / "rows.jsonl"
        source.write_bytes(content)
        spec = PluginSpec(reader.pop("plugin", ""), reader)
        self.done = read(ReadTask(str(source), name, str(target), 1_000, spec, BUILDER, formats=formats))
        assert not (self.folder / "unpacked").exists()
        return [msgspec.json.decode(line) for line in target.read_bytes().splitlines()]

    def refused(self, name: str, content: bytes, formats: list[str] | None = None, **reader: Any) -> tuple[str, str]:
        """The code and the words with which it is refused."""
        try:
            return "read", repr(self.read(name, content, formats, **reader))
        except FileRefused as refusal:
            assert not (self.folder / "unpacked").exists()
            return refusal.code, str(refusal)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def zipped(**members: bytes) -> bytes:
    """An archive; in names, `__` is a slash and `_` a dot."""
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("MAC/", "__MACOSX/").replace("_", "."), content)
    return file.getvalue()


@pytest.mark.slow
def test_compressed_files_are_read_as_what_is_in_them(desk: Desk) -> None:
    packed = gzip.compress(CSV)
    streamed = zstandard.ZstdCompressor(write_content_size=False, write_checksum=True).compressobj()
    cases = {
        "may.csv.gz": packed,
        "May.CSV.GZ": packed,
        "in parts.csv.gz": gzip.compress(CSV[:9]) + gzip.compress(CSV[9:]),
        "with zeros.csv.gz": packed + bytes(700),
        "may.csv.zst": zstandard.ZstdCompressor(level=19).compress(CSV),
        "streamed.csv.zst": streamed.compress(CSV) + streamed.flush(),
        "skippable.csv.zst": b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(CSV),
        "lines.jsonl.gz": gzip.compress(b'{"id":"1","text":"one"}\n{"id":"2","text":"two"}\n'),
        "list.json.gz": gzip.compress(b'[{"id":"1","text":"one"},{"id":"2","text":"two"}]'),
    }
    faults = [f"{name}: {found}" for name, content in cases.items() if (found := desk.read(name, content)) != ROWS]
    assert not faults, "\n".join(faults)
    desk.read("may.csv.gz", packed)
    assert desk.done.description["packed"] == "gzip"
    assert desk.done.dialect is not None
    large = b"id,text\n" + b"".join(b"%d,%s\n" % (n, b"x" * (n % 50)) for n in range(30_000))
    for name, content in (("a.csv.gz", gzip.compress(large)), ("a.csv.zst", zstandard.compress(large))):
        assert len(desk.read(name, content)) == 30_000


def test_what_cannot_be_unpacked_is_refused_in_words(desk: Desk) -> None:
    packed, frame = gzip.compress(CSV * 100), zstandard.ZstdCompressor(write_checksum=True).compress(CSV * 100)
    damaged = packed[:-8] + bytes(4) + packed[-4:]
    cases: list[tuple[str, bytes, str, str]] = [
        ("cut.csv.gz", packed[:-9], "archive", "cut off"),
        ("damaged.csv.gz", damaged, "archive", "checksum"),
        ("behind.csv.gz", packed + b"garbage", "archive", "do not belong"),
        ("twice.csv.gz.gz", gzip.compress(packed), "packed_twice", "twice"),
        ("twice.csv.gz", gzip.compress(packed), "packed_twice", "twice"),
        ("both.csv.gz", gzip.compress(frame), "packed_twice", "twice"),
        ("plain.csv.gz", CSV, "binary", "take .gz off its name"),
        ("empty.csv.gz", b"", "binary", "not compressed"),
        ("may.gz", packed, "suffix", "may.csv.gz"),
        ("may.tar.gz", packed, "suffix", "does not say"),
        ("cut.csv.zst", frame[:-3], "archive", "cut off"),
        ("damaged.csv.zst", frame[:-6] + bytes(6), "archive", "damaged"),
        ("behind.csv.zst", frame + b"garbage", "archive", "damaged"),
        ("dictionary.csv.zst", frame[:4] + b"\x03" + frame[5:], "archive", "damaged"),
    ]
    found = {name: (desk.refused(name, content), code, words) for name, content, code, words in cases}
    faults = [f"{name}: {got}" for name, (got, code, words) in found.items() if got[0] != code or words not in got[1]]
    assert not faults, "\n".join(faults)
    assert all("rop" in got[1] for got, _, _ in found.values())


@pytest.mark.field("hostile files")
@pytest.mark.slow
def test_bombs_are_refused_in_bounded_memory(desk: Desk) -> None:
    zeros = bytes(1_000_000)
    block = (1 << 1 | 1 << 17 << 3).to_bytes(3, "little") + b"x"  # one byte, 131,072 times
    rle = zstandard.compress(b"")[:4] + b"\x00\x58" + block * 900
    tracemalloc.start()
    try:
        found = [
            desk.refused("a.csv.gz", gzip.compress(zeros * 70, 1))[0],
            desk.refused("a.csv.zst", rle)[0],
            desk.refused("a.csv.gz", gzip.compress(zeros), max_unpacked=500_000)[0],
            desk.refused("a.zip", zipped(a_csv=zeros), ["zip"], max_unpacked=500_000)[0],
            desk.refused("a.zip", zipped(a_csv=CSV, b_csv=CSV, c_csv=CSV), ["zip"], max_files=2)[0],
        ]
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    assert found == ["ratio", "ratio", "too_large", "too_large", "too_many_files"]


@pytest.mark.field("hostile files")
def test_a_long_list_of_few_files_is_not_told_as_many_files(desk: Desk) -> None:
    archive = bytearray(zipped(a_csv=CSV, b_csv=CSV, c_csv=CSV))
    end = archive.rindex(b"PK\x05\x06")
    archive[end + 12 : end + 16] = (70_000_000).to_bytes(4, "little")
    code, words = desk.refused("a.zip", bytes(archive), ["zip"])
    assert code == "too_long"
    assert words.startswith("This archive's list of its files is longer than 67,108,864 bytes")
    assert reason_in(words, "vi") != words


def test_archives(desk: Desk) -> None:
    one = zipped(may_csv=CSV, README_txt=b"hello")
    assert desk.read("may.zip", one, ["csv", "zip"]) == ROWS
    assert desk.done.description == {"encoding": "utf-8", "delimiter": ",", "packed": "zip", "left_out": 1}
    several = zipped(a_csv=CSV, b__c_csv=b"text,id\nthree,3\n", _DS_Store=b"\0", MAC__a_csv=b"x")
    assert desk.read("may.zip", several, ["zip"]) == [
        ["1", "one", "a.csv"], ["2", "two", "a.csv"], ["3", "three", "b/c.csv"],
    ]  # fmt: skip
    assert desk.done.columns == ["id", "text", "file"]
    named_so = b"text,file\none,mine\n"
    desk.read("may.zip", zipped(a_csv=named_so, b_csv=named_so), ["zip"])
    assert desk.done.columns == ["text", "file", "file (2)"]
    encrypted = bytearray(zipped(a_csv=CSV))
    encrypted[6] |= 1
    encrypted[bytes(encrypted).index(b"PK\x01\x02") + 8] |= 1
    cases: list[tuple[str, bytes, str]] = [
        ("different columns", zipped(a_csv=CSV, b_csv=b"id,other\n1,2\n"), "columns"),
        ("an archive inside", zipped(a_csv=CSV, b_zip=zipped(a_csv=CSV)), "packed_twice"),
        ("compressed inside", zipped(a_csv_gz=gzip.compress(CSV)), "packed_twice"),
        ("no table", zipped(README_txt=b"hello"), "no_table"),
        ("a password", bytes(encrypted), "encrypted"),
        ("cut off", zipped(a_csv=CSV)[:-30], "archive"),
        ("no archive", CSV, "binary"),
        ("a bad table", zipped(a_csv=CSV, b_csv=b""), "empty"),
    ]
    faults = [
        f"{kind}: {got}" for kind, content, code in cases if (got := desk.refused("a.zip", content, ["zip"]))[0] != code
    ]
    assert not faults, "\n".join(faults)
    assert "In “b.csv”" in desk.refused("a.zip", zipped(a_csv=CSV, b_csv=b""), ["zip"])[1]
    assert desk.refused("a.zip", zipped(a_csv=CSV))[0] == "format"
    names = io.BytesIO()
    with zipfile.ZipFile(names, "w") as archive:
        for name in ("../../out.csv", "/etc/out.csv", "..\\out.csv"):
            archive.writestr(name, CSV)
    assert len(desk.read("a.zip", names.getvalue(), ["zip"])) == 6
    assert {path.name for path in desk.folder.iterdir()} == {"source", "rows.jsonl"}


def test_bad_rows_of_an_archive_are_in_the_columns_of_its_first_table_and_say_where_they_are(desk: Desk) -> None:
    tables = zipped(a_csv=b'id,text\n1,2\n"3" c,4\n', b_csv=b'text,id\n6,5\n8,"7" c\n9,9,9,9\n')
    good, first, other, second, ragged = desk.read("may.zip", tables, ["zip"])
    assert (good, other) == (["1", "2", "a.csv"], ["5", "6", "b.csv"])
    assert first["values"] == ['"3" c', "4", "a.csv"]
    assert second["values"] == ['"7" c', "8", "b.csv"]
    assert ragged["values"] == ["9", "9", "9", "9"]
    assert ragged["message"].startswith("In “b.csv”: ")
    lines = zipped(a_jsonl=b'{"text":"one"}\n', b_jsonl=b'{"text":"two"}\n{"text":\n')
    bad = desk.read("may.zip", lines, ["zip"])[-1]
    assert bad["values"] == ['{"text":'], "a line that is no row is given back as it is"
    assert bad["message"].startswith("In “b.jsonl”: ")


def test_only_formats_that_the_route_takes(desk: Desk) -> None:
    text = b"one\n\ntwo\n"
    cases: list[tuple[str, bytes, list[str] | None, str]] = [
        ("README.md", text, None, "format"),
        ("notes.txt", text, None, "format"),
        ("notes.txt.gz", gzip.compress(text), None, "format"),
        ("notes.txt", text, ["txt"], "read"),
        ("notes.txt.gz", gzip.compress(text), [".TXT"], "read"),
        ("notes.txt", text, ["zip"], "format"),
        ("may.csv", CSV, ["txt"], "format"),
        ("may.csv.gz", gzip.compress(CSV), ["csv"], "read"),
        ("may.csv", CSV, None, "read"),
    ]
    faults = [
        f"{name}, {formats}: {got}"
        for name, content, formats, code in cases
        if (got := desk.refused(name, content, formats))[0] != code
    ]
    assert not faults, "\n".join(faults)
    assert desk.read("notes.txt", text, ["txt"]) == [["one"], ["two"]]
    assert desk.refused("may.xlsx", b"", ["csv"])[1].startswith(
        "In this folder, batchd takes only files that end in .csv"
    )
    assert desk.read("notes.txt", CSV, plugin="csv") == ROWS


def test_a_reader_table_may_have_keys_of_several_formats(desk: Desk) -> None:
    keys: dict[str, Any] = {"delimiter": ";", "sheet": "May", "max_ratio": 100}
    assert desk.read("may.csv", CSV.replace(b",", b";"), **keys) == ROWS
    assert desk.read("may.jsonl", b'{"text":"x"}', **keys) == [["x"]]
    assert desk.read("may.csv", CSV, plugin="csv", max_ratio=100) == ROWS
