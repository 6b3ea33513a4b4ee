"""Names that people and programs give to files."""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchd.domain.names import LONGEST, archive_name, display, numbered, numbered_file, outbox_stem, shortened

from ..intake.conftest import unhurried

# Everything a Linux file name can hold, odd bytes included.
names = st.one_of(
    st.binary(min_size=1, max_size=255).filter(lambda raw: b"/" not in raw and b"\0" not in raw).map(os.fsdecode),
    st.text(alphabet="abCONnulPRX.~$ -_é́đặ😀\u202e\n\t1²", min_size=1, max_size=40),
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("reviews/may.csv", "reviews/may.csv"),
        ("đánh giá 😀.csv", "đánh giá 😀.csv"),
        ("two\nlines.csv", "two\\nlines.csv"),
        ("tab\there.csv", "tab\\there.csv"),
        ("bell\x07\x1b[31mred.csv", "bell\\x07\\x1b[31mred.csv"),
        ("caf\udce9.csv", "caf\\xe9.csv"),
        ("gpj\u202evsc.csv", "gpj\\u202evsc.csv"),
        ("line\u2028end.csv", "line\\u2028end.csv"),
        ("half\ud83d.csv", "half\\ud83d.csv"),
        (unicodedata.normalize("NFD", "đánh giá.csv"), "đánh giá.csv"),
    ],
)
def test_display(path, shown):
    assert display(path) == shown


@unhurried
@given(paths)
def test_display_can_always_be_stored_and_printed_on_one_line(path):
    shown = display(path)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert "\0" not in shown
    assert "\x1b" not in shown
    assert display(shown) == shown


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("may.csv", "may"),
        ("reviews/may.csv", "reviews/may"),
        ("reviews/2026/may.v2.csv", "reviews/2026/may.v2"),
        ("may", "may"),
        ("-rf.csv", "-rf"),
        ("may .csv", "may"),
        ("may..csv", "may"),
        ("may.csv.", "may"),
        ("may.csv ", "may"),
        (" .csv", "_"),
        ("..csv", "_.csv"),
        (".csv", "_csv"),
        ("", "_"),
        ("/", "_"),
        ("..", "_"),
        ("../../etc/passwd", "_/_/etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a//b/./c.csv", "a/b/_/c"),
        ("CON.csv", "CON_"),
        ("con.csv", "con_"),
        ("con .csv", "con_"),
        ("CON.may.csv", "CON_.may"),
        ("nul/lpt1.csv", "nul_/lpt1_"),
        ("COM¹.csv", "COM¹_"),
        ("console.csv", "console"),
        ("two\nlines.csv", "two_lines"),
        ("nul\0byte.csv", "nul_byte"),
        ("caf\udce9.csv", "caf%E9"),
        ("half\ud83d.csv", "half_"),
        (unicodedata.normalize("NFD", "đánh giá.csv"), "đánh giá"),
        ("😀.csv", "😀"),
        ("é" * 125 + ".csv", "é" * 90),
        ("x" + "é" * 125 + ".csv", "x" + "é" * 89),
        ("x" * 255, "x" * 180),
    ],
)
def test_outbox_stem(path, stem):
    assert outbox_stem(path) == stem


def is_safe(path: str) -> bool:
    path.encode("utf-8")
    if path.startswith("/") or unicodedata.normalize("NFC", path) != path:
        return False
    reserved = {"con", "prn", "aux", "nul", "conin$", "conout$"}
    reserved |= {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
    for part in path.split("/"):
        if not part or part.startswith(".") or part.endswith((".", " ")) or len(part.encode()) > LONGEST:
            return False
        if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in part):
            return False
        if part.split(".")[0].rstrip().lower() in reserved:
            return False
    return True


@unhurried
@given(paths)
@example("..")
@example("a/../../b.csv")
@example("CON" + "." + "x" * 250)
@example("é" * 127)
@example("́" * 127)
@example("con ." + "é" * 120)
@example("nul.csv")
@example("a" * 179 + " .csv")
@example("a" * 179 + ".b.csv")
@example("." * 255)
@example(" " * 255)
def test_what_we_make_of_a_name_is_always_safe(path):
    for make in (outbox_stem, archive_name):
        assert is_safe(make(path)), (make, make(path))
        assert make(path).count("/") == path.count("/"), "folders are kept"


@unhurried
@given(paths)
def test_a_safe_name_is_kept(path):
    safe = archive_name(path)
    assert archive_name(safe) == safe


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("reviews/may.csv", "reviews/may.csv"),
        ("may.csv.gz", "may.csv.gz"),
        ("CON.csv", "CON_.csv"),
        ("caf\udce9.csv", "caf%E9.csv"),
        ("x" * 251 + ".csv", "x" * 176 + ".csv"),
        ("x." + "y" * 250, "x." + "y" * 178),
        ("may.csv.", "may.csv"),
    ],
)
def test_archive_name(path, name):
    assert archive_name(path) == name


@pytest.mark.parametrize(
    ("stem", "number", "result"),
    [("may", 1, "may"), ("may", 2, "may (2)"), ("reviews/may", 10, "reviews/may (10)"), ("may.v2", 2, "may.v2 (2)")],
)
def test_numbered(stem, number, result):
    assert numbered(stem, number) == result


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("may.csv", "may (2).csv"),
        ("reviews/may.csv", "reviews/may (2).csv"),
        ("v1.x/may", "v1.x/may (2)"),
        ("may", "may (2)"),
        ("may.csv.gz", "may (2).csv.gz"),
        ("may.results.csv", "may (2).results.csv"),
        ("2026.05.01.csv", "2026.05.01 (2).csv"),
        ("v1.2 may.csv", "v1.2 may (2).csv"),
        (".csv", ".csv (2)"),
    ],
)
def test_numbered_file(name, result):
    assert numbered_file(name, 1) == name
    assert numbered_file(name, 2) == result


@unhurried
@given(paths, st.integers(2, 9999))
def test_numbered_names_leave_room_for_a_note_and_a_draft(path, number):
    last = numbered_file(archive_name(path), number).rpartition("/")[2]
    assert len(f".{last}.why.txt.draft".encode()) <= 255


@unhurried
@given(st.text(), st.integers(0, 40))
def test_shortened_cuts_between_characters(text, room):
    text = text.encode("utf-8", "ignore").decode()
    short = shortened(text, room)
    assert text.startswith(short)
    assert len(short.encode()) <= room
    assert len(text.encode()) <= room or len(short.encode()) > room - 4
