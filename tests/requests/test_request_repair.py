"""What can be saved of a file is written whole or not at all, and says the same as before."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.errors import BatchdError
from batchd.model import Limits
from batchd.requests.file import RequestFile
from batchd.requests.repair import Repaired, repair

from .request_kit import LIMITS, look, request, requests_in, write
from .test_request_file import LINES, MARK, PATIENT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "may.jsonl"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "fixed").mkdir()
    return tmp_path / "fixed" / "may.jsonl"


def repaired(file: Path, out: Path, limits: Limits = LIMITS, **options: Any) -> Repaired:
    with RequestFile(file, limits) as looked:
        looked.look()
        return repair(looked, out, **options)


def ids(path: Path) -> list[str]:
    return [line["custom_id"] for line in requests_in(path)]


def test_each_change_is_made_and_said(file: Path, out: Path) -> None:
    lines = [
        MARK + request("a"),
        request("b", text="x\u2028y\x85"),
        b"",
        request("b", text="x\u2028y\x85").replace(b", ", b","),
        request("b", text="other"),
        request("c", method="GET"),
        request("d"),
        b"   ",
    ]
    done = repaired(write(file, lines, b"\r\n"), out)
    assert out.read_bytes().split(b"\n") == [
        request("a"),
        request("b", text="x\\u2028y\\u0085").replace(b"\\\\", b"\\"),
        request("d"),
        b"",
    ]
    assert dict(done.changed) == {
        "byte_order_mark": 1,
        "crlf": 3,
        "line_separators": 1,
        "blank_line": 2,
        "double": 1,
    }
    assert dict(done.left_out) == {"duplicate_custom_id": 1, "invalid_method": 1}
    assert done.numbers == {
        "byte_order_mark": [1],
        "crlf": [1, 2, 7],
        "line_separators": [2],
        "blank_line": [3, 8],
        "double": [4],
        "duplicate_custom_id": [5],
        "invalid_method": [6],
    }
    assert [(each.path, each.requests, each.size) for each in done.written] == [(out, 3, out.stat().st_size)]


def test_of_a_good_file_every_byte_stays(file: Path, out: Path) -> None:
    content = write(file, [request("a"), b'{"odd" :  1.0000000000000000001, ' + request("b")[1:]]).read_bytes()
    done = repaired(file, out)
    assert out.read_bytes() == content
    assert (dict(done.changed), dict(done.left_out)) == ({}, {})


def test_a_line_with_anothers_id_gets_one_of_its_own_only_if_that_is_asked_for(file: Path, out: Path) -> None:
    lines = [request("a"), request("a-line3"), request("a", text="x", note=1.50), request("a"), request("a", text="y")]
    write(file, lines)
    done = repaired(file, out, rename=True)
    assert ids(out) == ["a", "a-line3", "a-line3-2", "a-line5"]
    assert (dict(done.changed), dict(done.left_out)) == ({"renamed": 2, "double": 1}, {})
    third = requests_in(out)[2]
    assert third == {**msgspec.json.decode(lines[2]), "custom_id": "a-line3-2"}
    assert list(third) == list(msgspec.json.decode(lines[2]))
    assert b'"note":1.5}' in out.read_bytes().splitlines()[2]
    assert look(out)[0].fine


def test_a_line_is_left_out_for_what_a_repair_cannot_fix(file: Path, out: Path) -> None:
    marked = [MARK + request("b", model="large"), MARK + request("a", text="other"), MARK + request("c")]
    done = repaired(write(file, [request("a"), *marked]), out)
    assert ids(out) == ["a", "c"]
    assert dict(done.left_out) == {"mismatched_model": 1, "duplicate_custom_id": 1}
    assert done.numbers == {"mismatched_model": [2], "duplicate_custom_id": [3], "byte_order_mark": [4]}


def test_an_id_that_cannot_be_made_longer_is_left_out(file: Path, out: Path) -> None:
    write(file, [request("x" * 251), request("x" * 251, text="other")])
    done = repaired(file, out, rename=True)
    assert dict(done.left_out) == {"duplicate_custom_id": 1}
    assert len(requests_in(out)) == 1


def test_nothing_is_written_where_nothing_can_be_saved(file: Path, out: Path) -> None:
    assert repaired(write(file, [b"{", b""]), out).written == []
    file.write_bytes(request("a").decode().encode("utf-16"))
    assert repaired(file, out).written == []
    assert list(out.parent.iterdir()) == []


# --- parts -----------------------------------------------------------------------------------------------------------


def test_parts_hold_as_many_as_is_said_and_keep_the_order(file: Path, out: Path) -> None:
    done = repaired(write(file, [request(str(number)) for number in range(7)]), out, split=3)
    assert [each.path.name for each in done.written] == [f"may.part-00{number}.jsonl" for number in (1, 2, 3)]
    assert [ids(each.path) for each in done.written] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert {path.name for path in out.parent.iterdir()} == {each.path.name for each in done.written}


def test_there_are_parts_where_the_limits_ask_for_them(file: Path, out: Path) -> None:
    line = request("0")
    write(file, [request(str(number)) for number in range(7)])
    by_count = repaired(file, out, Limits(4, 10_000, 1_000))
    assert [each.requests for each in by_count.written] == [4, 3]
    for each in by_count.written:
        each.path.unlink()
    by_size = repaired(file, out, Limits(100, 2 * (len(line) + 1), 1_000), split=50)
    assert [each.requests for each in by_size.written] == [2, 2, 2, 1]
    assert {each.size for each in by_size.written[:3]} == {2 * (len(line) + 1)}


def test_one_part_is_numbered_only_if_parts_were_asked_for(file: Path, out: Path) -> None:
    write(file, [request("a")])
    assert [each.path.name for each in repaired(file, out).written] == ["may.jsonl"]
    out.unlink()
    assert [each.path.name for each in repaired(file, out, split=5).written] == ["may.part-001.jsonl"]


def test_a_thousand_parts_need_no_thousand_open_files_and_sort_by_their_names(file: Path, out: Path) -> None:
    write(file, [request(str(number)) for number in range(1_001)])
    done = repaired(file, out, split=1)
    names = [each.path.name for each in done.written]
    assert names[0] == "may.part-0001.jsonl"
    assert names == sorted(names)
    assert len(names) == 1_001


# --- whole or not at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["may.jsonl", "may.part-001.jsonl", "may.part-007.jsonl"])
def test_nothing_is_written_over(file: Path, out: Path, name: str) -> None:
    write(file, [request("a"), request("b")])
    there = out.with_name(name)
    there.write_text("theirs")
    with pytest.raises(FileExistsError) as raised:
        repaired(file, out, split=1)
    assert raised.value.filename == str(there)
    assert there.read_text() == "theirs"
    assert list(out.parent.iterdir()) == [there]


def test_a_link_to_nowhere_is_not_written_through(file: Path, out: Path) -> None:
    write(file, [request("a")])
    out.symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        repaired(file, out)


def test_a_name_that_looks_like_a_pattern_is_a_name(file: Path, out: Path) -> None:
    write(file, [request("a")])
    out.with_name("b.part-001.jsonl").write_text("theirs")
    odd = out.with_name("[a-c]*.jsonl")
    assert [each.path for each in repaired(file, odd).written] == [odd]


def test_a_name_that_was_taken_meanwhile_takes_back_the_parts_before_it(file: Path, out: Path) -> None:
    write(file, [request("a"), request("b"), request("c")])
    taken = out.with_name("may.part-003.jsonl")

    def told(_: int) -> None:
        taken.write_text("theirs")

    with pytest.raises(FileExistsError):
        repaired(file, out, split=1, progress=told)
    assert list(out.parent.iterdir()) == [taken]


def test_a_fault_half_way_leaves_nothing(file: Path, out: Path) -> None:
    write(file, [request("a"), request("b"), request("c", text="x" * 100)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            repaired(file, out, split=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(out.parent.iterdir()) == []


def test_a_file_that_changes_meanwhile_leaves_nothing(file: Path, out: Path) -> None:
    write(file, [request("a"), request("b")])

    def told(_: int) -> None:
        with file.open("ab") as writer:
            writer.write(b"x")

    with pytest.raises(BatchdError, match="changed"):
        repaired(file, out, progress=told)
    assert list(out.parent.iterdir()) == []


def test_what_a_killed_run_left_is_cleared(file: Path, out: Path) -> None:
    write(file, [request("a")])
    left = out.with_name(".may.jsonl.draft")
    left.mkdir()
    (left / "1").write_text("half")
    assert ids(repaired(file, out).written[0].path) == ["a"]
    assert os.listdir(out.parent) == ["may.jsonl"]


# --- whatever the file ------------------------------------------------------------------------------------------------


def meaning(line: dict[str, Any]) -> bytes:
    """What a line asks, whatever it is called."""
    return msgspec.json.encode({**line, "custom_id": None}, order="deterministic")


@PATIENT
@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.none() | st.integers(1, 4))
def test_what_is_written_is_fine_and_asks_what_was_asked(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: bytes, rename: bool, split: int | None
) -> None:
    folder = tmp_path_factory.mktemp("repair")
    file, out = write(folder / "property.jsonl", lines, end), folder / "out.jsonl"
    before = file.read_bytes()
    with RequestFile(file, LIMITS) as looked:
        summary = looked.look()
        findings = {finding.line: finding for finding in looked.findings()}
        done = repair(looked, out, split=split, rename=rename)
    assert file.read_bytes() == before
    written = [line for each in done.written for line in requests_in(each.path)]
    for each in done.written:
        after, _ = look(each.path)
        assert after.fine
        assert not after.notes
        assert (after.good, after.size) == (each.requests, each.size)
    assert len({line["custom_id"] for line in written}) == len(written)
    if not summary.lines:
        assert not done.written
        return
    # Every line is accounted for: written, dropped for a reason that loses nothing, or left out and said.
    dropped = done.changed["blank_line"] + done.changed["double"]
    assert len(written) + dropped + sum(done.left_out.values()) == summary.lines
    # In the order of the file, what is written are its good lines and those that could be saved.
    content = before.split(b"\n")
    kept = [
        msgspec.json.decode(content[number - 1].removeprefix(MARK).strip())
        for number in range(1, summary.lines + 1)
        if number not in findings
        or findings[number].fix == "rewrite"
        or (findings[number].fix == "rename" and rename and "duplicate_custom_id" not in done.left_out)
    ]
    if "duplicate_custom_id" not in done.left_out or not rename:
        assert [meaning(line) for line in written] == [meaning(line) for line in kept]
