"""Every bad line of a file of requests is told by number and reason, in memory that does not grow with the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.errors import BatchdError
from batchd.model import Limits
from batchd.requests.file import Fix, RequestFile

from ..memory import peak_of
from .request_kit import CHAT, LIMITS, by_hand, codes, look, request, write

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
MARK = b"\xef\xbb\xbf"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "may.jsonl"


def test_a_file_that_services_take_is_fine(file: Path) -> None:
    summary, findings = look(write(file, [request("a"), request("b"), request("c")]))
    assert summary.fine
    assert findings == []
    assert (summary.lines, summary.good, summary.bad, summary.size) == (3, 3, 0, file.stat().st_size)
    assert (summary.model, summary.url) == ("small", CHAT)


ODD: list[tuple[bytes, list[str], Fix]] = [
    (MARK + request("x"), ["byte_order_mark"], Fix.REWRITE),
    (b"", ["invalid_json_line"], Fix.DROP),
    (b"  \t", ["invalid_json_line"], Fix.DROP),
    (b"{oops", ["invalid_json_line"], Fix.LEAVE_OUT),
    (b"[1]", ["invalid_json_line"], Fix.LEAVE_OUT),
    (b'{"a":NaN}', ["invalid_json_line"], Fix.LEAVE_OUT),
    (b'{"a":"\\ud800"}', ["invalid_json_line"], Fix.LEAVE_OUT),
    (request("x").replace(b'"method"', b'"custom_id": "y", "method"'), ["duplicate_key"], Fix.LEAVE_OUT),
    (b'{"a":"\xe9"}', ["not_utf8"], Fix.LEAVE_OUT),
    (request(7, method="GET"), ["invalid_request", "invalid_method"], Fix.LEAVE_OUT),
    (request("x", text="y" * 3_000), ["too_long"], Fix.LEAVE_OUT),
    (request("x", text="y" * 30_000), ["too_long"], Fix.LEAVE_OUT),
    (request("a"), ["duplicate_custom_id"], Fix.DROP),
    (b" " + request("a").replace(b", ", b","), ["duplicate_custom_id"], Fix.DROP),
    (request("a", text="Other"), ["duplicate_custom_id"], Fix.RENAME),
    (request("a", note=1), ["duplicate_custom_id"], Fix.RENAME),
    (request("x", model="large"), ["mismatched_model"], Fix.LEAVE_OUT),
    (request("x", url="/v1/embeddings", body={"model": "small", "input": "x"}), ["invalid_url"], Fix.LEAVE_OUT),
    (
        request("x", url="/v1/embeddings", body={"model": "large", "input": "x"}),
        ["invalid_url", "mismatched_model"],
        Fix.LEAVE_OUT,
    ),
    (MARK + request("a"), ["byte_order_mark", "duplicate_custom_id"], Fix.DROP),
    (MARK + request("x", model="large"), ["byte_order_mark", "mismatched_model"], Fix.LEAVE_OUT),
    (MARK, ["invalid_json_line"], Fix.DROP),
]


@pytest.mark.parametrize(("line", "faults", "fix"), ODD)
def test_a_bad_line_is_told_by_its_number_and_the_others_are_good(
    file: Path, line: bytes, faults: list[str], fix: Fix
) -> None:
    summary, findings = look(write(file, [request("a"), request("b"), line, request("c")]))
    assert codes(findings) == {3: faults}
    assert [finding.fix for finding in findings] == [fix]
    assert (summary.lines, summary.good, summary.bad) == (4, 3, 1)
    assert dict(summary.faults) == dict.fromkeys(faults, 1)
    assert not summary.fine


def test_the_end_of_the_file_needs_no_newline_and_the_last_line_counts(file: Path) -> None:
    file.write_bytes(request("a") + b"\n" + request("a"))
    assert codes(look(file)[1]) == {2: ["duplicate_custom_id"]}
    file.write_bytes(request("a") + b"\n" + request("b"))
    assert look(file)[0].fine


def test_what_is_told_of_a_double(file: Path) -> None:
    _, findings = look(write(file, [request("a"), b"{", request("a"), request("a", text="x")]))
    assert [finding.faults[0].message for finding in findings[1:]] == [
        "custom_id “a” was used before, in line 1. Both lines are the same: remove one of them.",
        "custom_id “a” was used before, in line 1. The two requests differ: write another custom_id in this line.",
    ]


@pytest.mark.parametrize("twist", [b'"n": 1', b'"n": true', b'"n": 1.0'])
def test_what_python_takes_for_equal_is_not_the_same_request(file: Path, twist: bytes) -> None:
    lines = [request("a", n=1), request("a", n=1).replace(b'"n": 1', twist)]
    assert [finding.fix for finding in look(write(file, lines))[1]] == [Fix.DROP if twist == b'"n": 1' else Fix.RENAME]


def test_a_line_that_is_bad_by_itself_accuses_no_other(file: Path) -> None:
    lines = [request("a", method="GET"), request("a"), request("a", text="x" * 3_000), request("b", model="large")]
    summary, findings = look(write(file, [*lines, request("c")]))
    assert codes(findings) == {1: ["invalid_method"], 3: ["too_long"], 4: ["mismatched_model"]}
    assert summary.good == 2


def test_what_most_lines_are_for_is_right_even_if_the_first_is_for_something_else(file: Path) -> None:
    summary, findings = look(write(file, [request("a", model="odd"), request("b"), request("c")]))
    assert codes(findings) == {1: ["mismatched_model"]}
    assert summary.model == "small"
    # Where they are as many, the first decides.
    assert codes(look(write(file, [request("a", model="odd"), request("b")]))[1]) == {2: ["mismatched_model"]}


def test_more_models_than_are_counted_do_no_harm(file: Path) -> None:
    lines = [request(number, model=f"m{number}") for number in map(str, range(9))]
    summary, findings = look(write(file, [*lines, request("x", model="m0")]), max_kinds=3)
    assert codes(findings) == {number: ["mismatched_model"] for number in range(2, 10)}
    assert summary.model == "m0"
    assert "“m7”" in findings[6].faults[0].message


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", "empty_file", "no request"),
        (b"\n \n", "empty_file", "no request"),
        (request("a").decode().encode("utf-16"), "not_utf8", "UTF-16"),
        (request("a").decode().encode("utf-32"), "not_utf8", "UTF-32"),
        (request("a").decode().encode("utf-16-le"), "not_utf8", "UTF-16 text, or no text"),
        (b"\x1f\x8b\x08\x00\x00", "not_utf8", "no text at all"),
    ],
)
def test_a_file_of_which_nothing_can_be_read(file: Path, content: bytes, code: str, says: str) -> None:
    file.write_bytes(content)
    summary, _ = look(file)
    assert [fault.code for fault in summary.faulty] == [code]
    assert says in summary.faulty[0].message
    assert not summary.fine


def test_more_than_a_batch_holds(file: Path) -> None:
    write(file, [request(str(number)) for number in range(5)])
    size = file.stat().st_size
    assert look(file, Limits(5, size, 1_000))[0].fine
    assert [fault.code for fault in look(file, Limits(4, size, 1_000))[0].faulty] == ["too_many_tasks"]
    assert [fault.code for fault in look(file, Limits(5, size - 1, 1_000))[0].faulty] == ["file_too_large"]


def test_a_line_may_be_as_long_as_the_limit_its_end_included(file: Path) -> None:
    line = request("a")
    for end in (b"\n", b"\r\n"):
        assert look(write(file, [line], end), Limits(9, 10_000, len(line) + 1))[0].fine
        assert codes(look(write(file, [line], end), Limits(9, 10_000, len(line)))[1]) == {1: ["too_long"]}
    # Without a limit of its own, it is that of the file.
    assert codes(look(write(file, [line]), Limits(9, len(line), None))[1]) == {1: ["too_long"]}


def test_what_is_no_fault_is_noted(file: Path) -> None:
    summary, findings = look(write(file, [request("a"), request("b", text="x\u2028y")], b"\r\n"))
    assert findings == []
    assert summary.fine
    assert dict(summary.notes) == {"crlf": 2, "line_separators": 1}


def test_an_endpoint_can_be_allowed(file: Path) -> None:
    write(file, [request("a", url="/v1/chat/own"), request("b", url="/v1/chat/own")])
    assert codes(look(file)[1]) == {1: ["invalid_url"], 2: ["invalid_url"]}
    assert look(file, allowed=["/v1/chat/own"])[0].fine


def test_a_file_that_somebody_writes_to_is_not_judged(file: Path) -> None:
    write(file, [request("a")])
    with RequestFile(file, LIMITS) as looked:
        with file.open("ab") as writer:
            writer.write(request("b"))
        with pytest.raises(BatchdError, match="changed while it was being read"):
            looked.look()


def test_how_far_it_is_adds_up_to_all_of_it(file: Path) -> None:
    write(file, [request(str(number), text="x" * (number * 100)) for number in (*range(15, 2, -1), 0)])
    told: list[int] = []
    with RequestFile(file, LIMITS, report_every=300) as looked:
        looked.look(told.append)
    assert sum(told) == file.stat().st_size
    assert len(told) > 5


NAMES = st.sampled_from(["a", "b", "c", "", None, 7])
GOOD_LINES = st.builds(
    request,
    NAMES,
    model=st.sampled_from(["small", "small", "large"]),
    text=st.sampled_from(["Hi", "Ho", "x\u2028y", "z" * 2_500]),
)
LINES = st.lists(GOOD_LINES | st.sampled_from([line for line, _, _ in ODD]) | st.binary(max_size=5), max_size=12)


@PATIENT
@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_it_finds_what_a_simple_reader_finds(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], end: bytes, ended: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "property.jsonl"
    content = end.join(lines) + (end if ended else b"")
    path.write_bytes(content)
    summary, findings = look(path)
    if any(fault.code == "not_utf8" for fault in summary.faulty):
        assert b"\x00" in content or content.startswith((b"\xff\xfe", b"\xfe\xff"))
        return
    assert codes(findings) == by_hand(content)
    assert summary.bad == len(findings)
    assert summary.good + summary.bad == summary.lines


LOOKING = """
import sys
from pathlib import Path
from batchd.requests.file import RequestFile
from batchd.model import Limits
with RequestFile(Path(sys.argv[1]), Limits(10**9, 10**12)) as file:
    print(file.look().bad)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Here two lines of three are bad. bench/validating.py asks the same of a million."""

    def file_of(lines: int) -> Path:
        path = tmp_path / f"{lines}.jsonl"
        with path.open("wb") as file:
            for number in range(lines):
                kind: dict[str, Any] = [{}, {"method": "GET"}, {}, {"model": f"m{number}"}][number % 4]
                file.write(request(f"request-{number // 3}", **kind) + b"\n")
        return path

    (small, [few]), (large, [many]) = (peak_of(LOOKING, file_of(lines)) for lines in (30_000, 60_000))
    assert int(many) > 1.9 * int(few) > 30_000
    assert large < small + 2_000, f"{small} kB for 30,000 lines, {large} kB for 60,000"
