"""The sink `jsonl`: the provider's lines with the custom_ids of the dropped file."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from files_support import MemoryOutbox, Rows, answered, failed, job, read, skipped

from batchd import Failure, Settings
from batchd_files.objects.jsonl_reader import JsonlReader
from batchd_files.objects.jsonl_sink import JsonlSink


def publish(rows: Rows) -> dict[str, bytes]:
    outbox = MemoryOutbox()
    asyncio.run(JsonlSink(Settings()).publish(job(outbox), rows))
    return outbox.files


def lines(content: bytes) -> list[Any]:
    assert content.endswith(b"\n")
    return [msgspec.json.decode(line) for line in content[:-1].split(b"\n")]


RAW = (
    b'{"id": "batch_req_1", "custom_id": "20261123-abc-0", "response": {"status_code": 200, "body": '
    b'{"choices": [{"message": {"content": "a\xe2\x80\xa8b", "logprob": 1.0000000000000000001}}]}}, "error": null}'
)


def test_without_custom_ids_the_line_is_the_providers_byte_for_byte():
    assert publish(Rows(["review"], ["answer"], [answered(0, ["x"], ["a"], RAW)])) == {".results.jsonl": RAW + b"\n"}


def test_custom_ids_of_the_file_replace_ours_and_nothing_else_changes():
    files = publish(Rows(["custom_id", "body"], ["answer"], [answered(0, ['their "id"', {}], ["a"], RAW)]))
    (line,) = lines(files[".results.jsonl"])
    assert line == {**msgspec.json.decode(RAW), "custom_id": 'their "id"'}
    assert list(line) == ["id", "custom_id", "response", "error"]
    assert b'"logprob": 1.0000000000000000001' in files[".results.jsonl"]


@pytest.mark.parametrize("custom_id", [None, 7, ["x"], ""])
def test_a_custom_id_that_is_not_text_is_not_used(custom_id):
    rows = [answered(0, [custom_id], ["a"], RAW), skipped(1, [custom_id])]
    ids = [line["custom_id"] for line in lines(publish(Rows(["custom_id"], ["answer"], rows))[".results.jsonl"])]
    assert ids == ["20261123-abc-0", "20261123-abc-1"]


def test_rows_without_an_answer_have_a_line_of_the_same_form():
    rows = [failed(0, ["a"], Failure("template", "It cannot be asked.")), skipped(1, ["b"])]
    assert lines(publish(Rows(["custom_id"], ["answer"], rows))[".results.jsonl"]) == [
        {
            "id": "20261123-abc-0",
            "custom_id": "a",
            "response": None,
            "error": {"code": "template", "message": "It cannot be asked."},
        },
        {
            "id": "20261123-abc-1",
            "custom_id": "b",
            "response": None,
            "error": {"code": "cancelled", "message": "The job was cancelled."},
        },
    ]


def test_a_failed_row_keeps_the_answer_it_got():
    (line,) = lines(publish(Rows(["custom_id"], ["answer"], [failed(0, ["a"], raw=RAW)]))[".results.jsonl"])
    assert line["response"]["status_code"] == 200


@pytest.mark.parametrize("raw", [b'{"custom_id": ', b"[1]", b"\xe9"])
def test_a_line_that_is_not_an_object_does_not_stop_the_delivery(raw):
    rows = Rows(["custom_id"], ["answer"], [failed(0, ["a"], Failure("unreadable_line", "No JSON."), raw=raw)])
    (line,) = lines(publish(rows)[".results.jsonl"])
    error = {"code": "unreadable_line", "message": "No JSON."}
    assert line == {"id": "20261123-abc-0", "custom_id": "a", "response": None, "error": error}


@pytest.mark.parametrize(
    ("broken", "custom_id"),
    [
        (b'{"custom_id": "b", "body": {"x": 1}', "b"),
        (b' { "custom_id"\t: "\\u0062 \\"", "body": NaN}', 'b "'),
        (b'{"custom_id": "b", "x": "\xe9"}', "b"),
        (b'{"custom_id": "b', None),
        (b'{"custom_id": "", "body"', None),
        (b'{"custom_id": "\\x", "body"', None),
        (b'{"custom_id": "\xe9", "body"', None),
        (b'{"method": "POST", "custom_id": "b", "body"', None),
        (b"[1, 2]", None),
        (b"oops", None),
    ],
)
def test_an_unreadable_line_keeps_its_custom_id_if_that_is_certain(tmp_path, broken, custom_id):
    dropped = tmp_path / "requests.jsonl"
    dropped.write_bytes(b'{"custom_id": "a", "body": {}}\n' + broken + b"\n")
    columns, (_, one) = read(JsonlReader(Settings()), dropped)
    rows = [failed(1, [*one.values, None], one.failure, original=one.values)]
    (line,) = lines(publish(Rows(columns, ["answer"], rows))[".results.jsonl"])
    assert line["custom_id"] == (custom_id or "20261123-abc-1")
    assert line["error"]["code"] == one.failure.code


def test_failed_rows_dropped_again_are_the_same_rows(tmp_path):
    dropped = tmp_path / "requests.jsonl"
    broken = [b'{"custom_id": "b", "body": {"x": 1}', b'{"custom_id": "\xe9"}', b"[1, 2]"]
    good = {"custom_id": "a", "body": {"messages": [{"content": "a\u2028b"}], "n": 1.5}, "note": None}
    dropped.write_bytes(b"\n".join([msgspec.json.encode(good), *broken]) + b"\n")
    columns, (values, *unreadable) = read(JsonlReader(Settings()), dropped)
    rows = [failed(0, values)] + [
        failed(number, [*one.values, None, None], one.failure, original=one.values)
        for number, one in enumerate(unreadable, start=1)
    ]
    again = publish(Rows(columns, ["answer"], rows))[".failed.jsonl"]
    assert again.split(b"\n")[1:-1] == broken
    (tmp_path / "again.jsonl").write_bytes(again)
    assert read(JsonlReader(Settings()), tmp_path / "again.jsonl") == (columns, [values, *unreadable])


def test_failed_rows_of_a_table_are_objects():
    long = failed(0, ["1", "2"], Failure("ragged", "Too many."), original=["1", "2", "3"])
    short = failed(1, ["only", None], Failure("ragged", "Too few."), original=["only"])
    rows = [long, short, answered(2, ["3", "4"], ["x"], RAW)]
    assert lines(publish(Rows(["a", "b"], ["answer"], rows))[".failed.jsonl"]) == [
        {"a": "1", "b": "2", "column 3": "3"},
        {"a": "only"},
    ]
