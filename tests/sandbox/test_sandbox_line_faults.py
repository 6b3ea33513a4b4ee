"""Faults of single lines: what the files contain, and what was paid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sandbox_kit import Running, counts_of, request_line, request_lines

if TYPE_CHECKING:
    from openai.types import Batch

pytestmark = pytest.mark.slow


async def _raw(sandbox: Running, batch: Batch) -> tuple[list[bytes], list[bytes]]:
    """The lines of both files as bytes."""
    output, errors = await sandbox.content(batch.output_file_id), await sandbox.content(batch.error_file_id)
    return output.split(b"\n")[:-1], errors.split(b"\n")[:-1]


def _ids(lines: list[bytes]) -> list[str]:
    return [json.loads(line)["custom_id"] for line in lines]


async def _executed(sandbox: Running) -> tuple[int, list[str]]:
    ledger = await sandbox.ledger()
    return ledger["requests_executed"], ledger["executed_twice"]


async def test_shuffled(sandbox: Running) -> None:
    await sandbox.order("line:shuffled")
    output, _ = await _raw(sandbox, await sandbox.run(request_lines(30)))
    names = [line["custom_id"] for line in request_lines(30)]
    assert _ids(output) != names
    assert sorted(_ids(output)) == sorted(names)
    output, _ = await _raw(sandbox, await sandbox.run(request_lines(30)))
    assert _ids(output) == names


async def test_double(sandbox: Running) -> None:
    await sandbox.order("line:double:lines=2")
    output, _ = await _raw(sandbox, await sandbox.run(request_lines(3)))
    assert _ids(output) == ["row-1", "row-2", "row-2", "row-3"]
    assert await _executed(sandbox) == (3, [])


async def test_missing(sandbox: Running) -> None:
    await sandbox.order("line:missing:lines=2")
    batch = await sandbox.run(request_lines(3))
    output, errors = await _raw(sandbox, batch)
    assert (batch.status, _ids(output), errors) == ("completed", ["row-1", "row-3"], [])
    assert await _executed(sandbox) == (2, [])
    output, _ = await _raw(sandbox, await sandbox.run([request_line("row-2")]))
    assert _ids(output) == ["row-2"]
    assert await _executed(sandbox) == (3, [])


async def test_unknown(sandbox: Running) -> None:
    await sandbox.order("line:unknown")
    output, _ = await _raw(sandbox, await sandbox.run(request_lines(2)))
    assert _ids(output)[:2] == ["row-1", "row-2"]
    assert _ids(output)[2].startswith("nobody-sent-")
    assert await _executed(sandbox) == (2, [])


async def test_not_json_is_paid(sandbox: Running) -> None:
    await sandbox.order("line:not-json:lines=2")
    output, _ = await _raw(sandbox, await sandbox.run(request_lines(3)))
    assert len(output) == 3
    assert b'"custom_id":"row-2"' in output[1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(output[1])
    assert _ids([output[0], output[2]]) == ["row-1", "row-3"]
    assert await _executed(sandbox) == (3, [])
    await sandbox.run([request_line("row-2")])
    assert await _executed(sandbox) == (4, ["row-2"])


async def test_crlf(sandbox: Running) -> None:
    await sandbox.order("line:crlf", "line:500:lines=1")
    batch = await sandbox.run(request_lines(3))
    for content in (await sandbox.content(batch.output_file_id), await sandbox.content(batch.error_file_id)):
        assert content.endswith(b"\r\n")
        assert content.count(b"\n") == content.count(b"\r\n") == len(content.splitlines())


async def test_separators_break_a_careless_splitting_of_lines(sandbox: Running) -> None:
    await sandbox.order("line:separators:fraction=1")
    content = await sandbox.content((await sandbox.run(request_lines(2))).output_file_id)
    assert len(content.split(b"\n")[:-1]) == 2
    assert len(content.decode().splitlines()) == 2 * 4
    answer = json.loads(content.split(b"\n")[0])["response"]["body"]["choices"][0]["message"]["content"]
    assert {"\u2028", "\u2029", "\u0085"} <= set(answer)


async def test_length_and_empty(sandbox: Running) -> None:
    await sandbox.order("line:length:lines=1", "line:empty:lines=2")
    output, _ = await _raw(sandbox, await sandbox.run(request_lines(3)))
    choices = [json.loads(line)["response"]["body"]["choices"][0] for line in output]
    assert [choice["finish_reason"] for choice in choices] == ["length", "stop", "stop"]
    assert choices[2]["message"]["content"].startswith(choices[0]["message"]["content"])
    assert len(choices[0]["message"]["content"]) < len(choices[2]["message"]["content"])
    assert choices[1]["message"]["content"] is None
    assert await _executed(sandbox) == (3, [])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (408, "timeout"),
        (409, "conflict"),
        (429, "requests"),
        (500, "server_error"),
        (503, "server_error"),
        (529, "error"),
    ],
)
async def test_a_status_for_one_line_is_not_paid_and_a_retry_succeeds(sandbox: Running, status: int, kind: str) -> None:
    await sandbox.order(f"line:{status}:lines=2")
    batch = await sandbox.run(request_lines(3))
    assert batch.status == "completed"
    assert counts_of(batch) == (3, 2, 1)
    output, errors = await sandbox.results(batch)
    assert list(output) == ["row-1", "row-3"]
    (line,) = errors.values()
    assert line["custom_id"] == "row-2"
    assert line["error"] is None
    assert line["response"]["status_code"] == status
    assert line["response"]["body"]["error"]["type"] == kind
    assert await _executed(sandbox) == (2, [])
    again = await sandbox.run([request_line("row-2")])
    assert again.error_file_id is None
    assert await _executed(sandbox) == (3, [])


async def test_status_zero_has_an_empty_body(sandbox: Running) -> None:
    await sandbox.order("line:0")
    _, errors = await sandbox.results(await sandbox.run(request_lines(2)))
    assert errors["row-1"]["response"] == {"status_code": 0, "request_id": "", "body": {}}
    assert errors["row-1"]["error"] is None


async def test_a_status_has_the_code_that_was_ordered(sandbox: Running) -> None:
    await sandbox.order("line:400:code=content_policy_violation")
    _, errors = await sandbox.results(await sandbox.run(request_lines(1)))
    assert errors["row-1"]["response"]["body"]["error"]["code"] == "content_policy_violation"


async def test_an_error_without_a_response(sandbox: Running) -> None:
    await sandbox.order("line:error:code=request_timeout")
    _, errors = await sandbox.results(await sandbox.run(request_lines(2)))
    assert list(errors) == ["row-1"]
    assert errors["row-1"]["response"] is None
    assert errors["row-1"]["error"]["code"] == "request_timeout"
    assert await _executed(sandbox) == (1, [])


async def test_http_error_without_error_field_is_among_the_answers(sandbox: Running) -> None:
    await sandbox.order("line:http-error-without-error-field:lines=2,status=422")
    batch = await sandbox.run(request_lines(2))
    output, errors = await sandbox.results(batch)
    assert errors == {}
    assert "error" not in output["row-2"]
    assert output["row-2"]["response"]["status_code"] == 422
    assert "message" in output["row-2"]["response"]["body"]["error"]
    assert await _executed(sandbox) == (1, [])


async def test_a_fraction_fails_as_often_as_ordered_for_each_custom_id(sandbox: Running) -> None:
    await sandbox.order("line:500:fraction=0.2,count=2")
    lines = request_lines(200)
    failed = []
    for _ in range(3):
        _, errors = await sandbox.results(await sandbox.run(lines))
        failed.append(sorted(errors))
    assert 20 <= len(failed[0]) <= 60
    assert failed[0] == failed[1]
    assert failed[2] == []
    assert (await sandbox.faults())[0]["taken"] == 2 * len(failed[0])


async def test_always_fails_every_time(sandbox: Running) -> None:
    await sandbox.order("line:500:count=always,marker=poison")
    lines = [request_line("good"), request_line("bad", "poison")]
    for _ in range(3):
        _, errors = await sandbox.results(await sandbox.run(lines))
        assert list(errors) == ["bad"]
    await sandbox.lift()
    assert (await sandbox.run(lines)).error_file_id is None


async def test_other_custom_ids_meet_the_fault_too(sandbox: Running) -> None:
    await sandbox.order("line:500:lines=1")
    for name in ("a", "b"):
        _, errors = await sandbox.results(await sandbox.run([request_line(name)]))
        assert list(errors) == [name]
        assert (await sandbox.run([request_line(name)])).error_file_id is None


async def test_faults_of_lines_can_be_combined(sandbox: Running) -> None:
    await sandbox.order("line:double:lines=1", "line:empty:lines=1", "line:unknown", "line:shuffled", "line:crlf")
    content = await sandbox.content((await sandbox.run(request_lines(4))).output_file_id)
    lines = [json.loads(line) for line in content.split(b"\r\n")[:-1]]
    names = [line["custom_id"] for line in lines]
    assert names.count("row-1") == 2
    assert len(names) == 6
    assert names[-1].startswith("nobody")
    assert all(
        (line["response"]["body"]["choices"][0]["message"]["content"] is None) == (line["custom_id"] == "row-1")
        for line in lines[:-1]
    )


async def test_cached_tokens_are_in_the_usage_of_the_batch(sandbox: Running) -> None:
    await sandbox.order("line:shapes")
    batch = await sandbox.run([request_line("a", "Good <shape usage-openai>"), request_line("b")])
    output, _ = await sandbox.results(batch)
    cached = output["a"]["response"]["body"]["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached > 0
    assert batch.usage is not None
    assert batch.usage.input_tokens_details.cached_tokens == cached == (await sandbox.ledger())["tokens"]["cached"]
