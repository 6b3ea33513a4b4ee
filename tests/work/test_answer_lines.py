"""Answers are read line by line in whatever form they come, and no line or packing takes more than it may."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from pathlib import Path

import pytest

from batchd.work.collecting.answer_lines import ReadLimits, answer_lines, unpack

pytestmark = pytest.mark.field("hostile services")

RECORDS = [
    {
        "custom_id": f"j-{number}",
        "text": 'a "quote" \\ }{ {[ \u2028' + "x" * number + "\\" * (number % 5),
        "list": [{"a": 1}, {"b": [2]}],
    }
    for number in range(40)
]
LINES = [json.dumps(each).encode() for each in RECORDS]
JOINED = b"\n".join(LINES)
FORMS = {
    "lines": JOINED + b"\n",
    "no line end": JOINED,
    "CR LF": b"\r\n".join(LINES),
    "a mark": b"\xef\xbb\xbf" + JOINED,
    "blank lines": b"\n \n" + b"\n\n\t\n".join(LINES) + b"\n\n",
    "gzip": gzip.compress(JOINED),
    "gzip, then lines": gzip.compress(b"\n".join(LINES[:9])) + b"\n" + b"\n".join(LINES[9:]),
    "gzip, then gzip": gzip.compress(b"\n".join(LINES[:9])) + b"\n" + gzip.compress(b"\n".join(LINES[9:])),
    "gzip of an array": gzip.compress(json.dumps(RECORDS).encode()),
    "UTF-16": "\n".join(map(json.dumps, RECORDS)).encode("utf-16"),
    "an array": json.dumps(RECORDS).encode(),
    "an indented array": json.dumps(RECORDS, indent=2).encode(),
    "an array, then lines": json.dumps(RECORDS[:9]).encode() + b"\n" + b"\n".join(LINES[9:]),
    "an array of lines": b"[\n" + b",\n".join(LINES) + b"\n]\n",
    "commas at the ends": b",\n".join(LINES),
    "indented objects": b"\n".join(json.dumps(each, indent=2).encode() for each in RECORDS),
    "one line": b"".join(LINES),
    "two a line": b"\n".join(a + b for a, b in zip(LINES[::2], LINES[1::2], strict=True)),
    "under a key": json.dumps({"data": RECORDS, "has_more": False}).encode(),
    "under a key, indented": json.dumps({"data": RECORDS, "has_more": False}, indent=1).encode(),
}


def read(path: Path, content: bytes) -> list[bytes]:
    with path.open("w+b") as file:
        file.write(b"before\n" + content)
        unpack(file, len("before\n"), ReadLimits())
        assert file.tell() == file.seek(0, 2)
    first, *lines = answer_lines(path)
    assert first == b"before"
    return lines


def test_every_form_is_read(tmp_path: Path) -> None:
    faults = []
    for name, content in FORMS.items():
        lines = read(tmp_path / "answers", content)
        if [json.loads(line) for line in lines] != RECORDS:
            faults.append(name)
    assert not faults


def test_a_line_that_was_cut_costs_no_other(tmp_path: Path) -> None:
    lines = [*LINES[:3], LINES[3][:29], *LINES[4:6], LINES[6][:30] + b",", *LINES[7:], LINES[0][:35]]
    expected = [line.strip().removesuffix(b",") for line in lines]
    got = [line.removesuffix(b",") for line in read(tmp_path / "answers", b"\n".join(lines))]
    assert got == expected


def test_an_answer_across_two_blocks_is_read_like_any_other(tmp_path: Path) -> None:
    pieces = ['{"', '["', '"', "\\", "}", "]", "}{", "},{", "x", "\n", "\u2028", '{"label": ["late", "broken"]}']
    chance, path, faults = random.Random(8), tmp_path / "answers", []
    for number in range(50):
        texts = ["".join(chance.choices(pieces, k=chance.randrange(20))) for _ in range(6)]
        # A file is read in blocks of 64 KiB: the first of these ends somewhere in the texts.
        texts.insert(0, "x" * (65_500 - chance.randrange(400)))
        records = [{"custom_id": f"j-{place}", "text": text} for place, text in enumerate(texts)]
        lines = [json.dumps(each).encode() for each in records]
        forms = {
            "an array": json.dumps(records).encode(),
            "one line": b"".join(lines),
            "commas between": b", ".join(lines),
            "under a key": json.dumps({"data": records}).encode(),
        }
        for name, content in forms.items():
            path.write_bytes(content)
            if [*answer_lines(path)] != lines:
                faults.append(f"{number}: {name}")
    assert not faults


def test_a_line_that_was_cut_at_the_end_of_a_block_costs_no_other(tmp_path: Path) -> None:
    half, good = b'{"custom_id":"j-1","list":[{"a":1},{"b"', b'{"custom_id":"j-2","list":[]}'
    path, faults = tmp_path / "answers", []
    for place in range(65_530, 65_540):
        full = b'{"custom_id":"j-0","text":"' + b"x" * (place - len(half) - 31) + b'"}'
        path.write_bytes(b"[" + full + b"," + half + b"\n" + good + b",\n" + good + b"]")
        assert path.read_bytes().index(b"\n") == place
        if [*answer_lines(path)] != [full, half, good, good]:
            faults.append(place)
    assert not faults


@pytest.mark.parametrize("between", [b"", b" ", b",", b" ,\t"])
def test_objects_on_one_line_are_read_one_by_one(tmp_path: Path, between: bytes) -> None:
    plain = b'{"custom_id":"j-1","list":[{"a":1},{"b":2}, {"c":3}],"text":"\\"},{"}'
    odd = b'{"custom_id":"j-2","list":[{"a":NaN},{"b":2}, {"c":3}],"text":"\\"},{"}'
    half = b'{"custom_id":"j-3","list":[{"a":1},{"b"'
    escape = b'{"custom_id":"j-3","text":"\\'
    ends: list[list[bytes]] = [[plain], [odd], [plain, odd], [half], [odd, half], [escape]]
    for end in ends:
        several = [plain, *end]
        content = between.join(several) + b"\n" + odd + b"\n" + plain + b"\n"
        assert read(tmp_path / "answers", content) == [*several, odd, plain]


HOSTILE = {
    "no line end": lambda: b'{"a":"' + b"x" * 200_000,
    "brackets": lambda: b"[" * 30_000,
    "braces": lambda: b"{" * 30_000,
    "backslashes": lambda: b'["' + b"\\" * 30_001,
    "quotes": lambda: b"[" + b'"' * 30_001,
    "a long object in an array": lambda: b'[{"a":"' + b"x" * 200_000 + b'"}]',
    "gzip of much": lambda: gzip.compress(b"x" * 900_000, 1),
    "gzip of lines": lambda: gzip.compress(b'{"custom_id":"x"}\n' * 40_000, 1),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(b"x" * 900_000, 1), 1),
    "gzip that is none": lambda: b"\x1f\x8b\x08" + b"x" * 200_000,
}


@pytest.mark.slow
def test_what_has_no_end_is_cut(tmp_path: Path) -> None:
    path, faults = tmp_path / "answers", []
    for name, content in HOSTILE.items():
        path.write_bytes(content())
        tracemalloc.start()
        with path.open("r+b") as file:
            unpack(file, 0, ReadLimits(20_000, 100_000))
        size = sum(len(line) for line in answer_lines(path, ReadLimits(20_000, 100_000)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if size > 100_000 or peak > 3_000_000:
            faults.append(f"{name}: {size:,} bytes of lines, {peak:,} bytes of memory")
    assert not faults, "\n".join(faults)


def test_nobody_unpacks_what_was_not_covered(tmp_path: Path) -> None:
    (tmp_path / "answers").write_bytes(gzip.compress(JOINED))
    assert not [line for line in answer_lines(tmp_path / "answers") if b"custom_id" in line]
