"""A part's rows become request lines; what cannot be asked fails by name, alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from batchd.answers.joining import ResultLine
from batchd.domain import rows
from batchd.errors import PluginError
from batchd.model import BadRow, Failure
from batchd.work.part_files import decode_results, read_results, write_results
from batchd.work.planning.plan import PlanDone, PlanTask, plan

from .conftest import Desk, plan_task

ODD = BadRow(["!"], Failure("odd", "This record is odd."))


def task(provider: Desk, records: list[Any], builder: str = "ask", first: int = 0, **more: Any) -> PlanTask:
    """Plan these records, which begin at row `first`, behind a record that belongs to another part."""
    before, behind = rows.encode(["0", "another part"]), rows.encode(["9", "yet another part"])
    more = {"first": first, "common": {"model": "small", "max_tokens": 50}} | more
    return plan_task(provider.folder, records, provider.recipe(builder), before=before, behind=behind, **more)


def texts(*wanted: str) -> list[list[str]]:
    """Rows with these texts."""
    return [[str(number), text] for number, text in enumerate(wanted)]


def requests(provider: Desk) -> list[dict[str, Any]]:
    """The request lines, decoded."""
    return [msgspec.json.decode(line) for line in provider.read("requests.jsonl").splitlines()]


def failures(provider: Desk) -> dict[int, str | None]:
    """The rows that failed, with their codes."""
    return {line.row: line.code for line in read_results(provider.folder / "results.1.jsonl") if not line.ok}


def test_a_request_is_a_line_of_the_batch_format(provider: Desk) -> None:
    done = plan(task(provider, texts("one", "two"), first=20))
    assert requests(provider) == [
        {
            "custom_id": f"job-{row}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "small", "max_tokens": 50, "messages": [{"role": "user", "content": text}]},
        }
        for row, text in ((20, "one"), (21, "two"))
    ]
    size = len(provider.read("requests.jsonl"))
    # One token each for "one" and "two", and what stands around a message; not the JSON around it.
    assert done == PlanDone(
        2, size, 2 * 8, output_tokens=100, failed=0, new_results=False, counted_tokens=2 * 8, longest=8
    )
    assert set(provider.everything()) == {"rows.jsonl", "requests.jsonl"}


@pytest.mark.parametrize("builder", ["ask", "ahead"])
def test_rows_that_cannot_be_asked_fail_by_name_and_the_others_are_asked(provider: Desk, builder: str) -> None:
    records = [ODD, *texts("one", "unaskable", "two", "crash", "three", "object", "four"), ODD, ODD]
    done = plan(task(provider, records, builder, first=10))
    assert [request["custom_id"] for request in requests(provider)] == ["job-11", "job-13", "job-15", "job-17"]
    assert [request["body"]["messages"][0]["content"] for request in requests(provider)] == [
        "one",
        "two",
        "three",
        "four",
    ]
    assert failures(provider) == {10: "odd", 12: "unaskable", 14: "build", 16: "build", 18: "odd", 19: "odd"}
    assert (done.requests, done.failed, done.new_results) == (4, 6, True)
    message = {line.row: line.message or "" for line in read_results(provider.folder / "results.1.jsonl")}
    assert "KeyError: 'crash'" in message[14]
    assert builder in message[14].lower()
    assert "object" in message[16]


@pytest.mark.parametrize("builder", ["ask", "ahead"])
def test_every_row_at_fault_is_every_row_by_name(provider: Desk, builder: str) -> None:
    done = plan(task(provider, texts(*["crash"] * 7), builder))
    assert failures(provider) == dict.fromkeys(range(7), "build")
    assert (done.requests, done.size, done.input_tokens, done.output_tokens) == (0, 0, 0, 0)
    assert provider.read("requests.jsonl") == b""


@pytest.mark.parametrize("builder", ["ask", "ahead"])
def test_run_again_it_leaves_the_same_bytes(provider: Desk, builder: str) -> None:
    given = task(provider, [*texts("one", "crash", "unaskable", "two\u2028"), ODD], builder)
    first = plan(given)
    everything = provider.everything()
    assert plan(given) == first
    assert provider.everything() == everything


def test_rows_that_are_settled_are_neither_asked_nor_lost(provider: Desk) -> None:
    settled = [ResultLine(10, True, ["good"], usage=(1, 2, 3)), ResultLine(12, False, code="x", message="y")]
    write_results(provider.folder / "results.0.jsonl", settled)
    given = task(
        provider, texts("one", "two", "three", "unaskable"), first=10, settled=provider.path("results.0.jsonl")
    )
    done = plan(given)
    assert [request["custom_id"] for request in requests(provider)] == ["job-11"]
    assert list(decode_results(provider.folder / "results.1.jsonl")) == [10, 12, 13]
    assert decode_results(provider.folder / "results.1.jsonl")[10] == settled[0]
    assert (done.failed, done.new_results) == (1, True)


def test_without_new_failures_there_is_no_new_results_file(provider: Desk) -> None:
    write_results(provider.folder / "results.0.jsonl", [ResultLine(0, False, code="x", message="y")])
    done = plan(task(provider, texts("one", "two"), settled=provider.path("results.0.jsonl")))
    assert (done.new_results, "results.1.jsonl" in provider.everything()) == (False, False)


def test_a_request_that_is_too_long_fails_by_name(provider: Desk) -> None:
    long = len(task(provider, []).endpoint) + 300
    done = plan(task(provider, texts("short", "x" * 500, "short"), max_line_bytes=long))
    assert failures(provider) == {1: "too_long"}
    assert (done.requests, done.failed) == (2, 1)
    assert all(len(line) <= long for line in provider.read("requests.jsonl").splitlines(keepends=True))


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\r\n", "\x00"])
def test_no_reader_of_lines_can_cut_a_request(provider: Desk, separator: str) -> None:
    text = f"Đẹp{separator}\\u2028 👍🏽"
    plan(task(provider, texts(text)))
    content = provider.read("requests.jsonl")
    assert len(content.decode().splitlines()) == 1
    assert requests(provider)[0]["body"]["messages"][0]["content"] == text


def test_the_longest_answer_is_what_the_body_says_not_the_route(provider: Desk) -> None:
    # Or a job could cost a hundred times what it was said to cost at most.
    assert plan(task(provider, texts("one", "long"))).output_tokens == 50 + 5_000
    assert plan(task(provider, texts("many"))).output_tokens == 3 * 50
    assert plan(task(provider, texts("one", "long"), common={"model": "small"})).output_tokens == 5_000


@pytest.mark.parametrize(
    ("builder", "told"), [("fewer", "fewer bodies"), ("more", "more bodies"), ("lines", "several lines")]
)
def test_a_builder_that_breaks_its_contract_is_named_and_leaves_nothing(
    provider: Desk, builder: str, told: str
) -> None:
    with pytest.raises(PluginError, match=f"(?i){builder} breaks its contract: its `encode` yields {told}"):
        plan(task(provider, texts("one", "two"), builder))
    assert set(provider.everything()) == {"rows.jsonl"}


def test_a_builder_that_never_works_is_no_rows_fault(provider: Desk) -> None:
    with pytest.raises(RuntimeError, match="never works"):
        plan(task(provider, texts("one", "two"), "broken"))


@pytest.mark.parametrize("builder", ["ask", "ahead"])
def test_a_file_that_cannot_be_read_is_no_rows_fault(provider: Desk, builder: str) -> None:
    given = task(provider, texts("one", "two", "three", "four", "five"), builder)
    content = provider.read("rows.jsonl")
    provider.write("rows.jsonl", content.replace(b'["4","five"]', b'["4","five"['))
    with pytest.raises(msgspec.DecodeError):
        plan(given)
    assert set(provider.everything()) == {"rows.jsonl"}


def test_a_part_in_the_middle_of_the_file_knows_nothing_of_the_others(provider: Desk) -> None:
    plan(task(provider, texts("one")))
    assert b"another part" not in provider.read("requests.jsonl")
    plan(task(provider, []))
    assert provider.read("requests.jsonl") == b""
