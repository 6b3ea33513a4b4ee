"""A file of batch requests, dropped: its good lines are asked, its bad ones fail one by one, and what comes back is the
provider's own output under the caller's own ids, in the order of the lines.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Place

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"


def request(name: Any, *, text: str = "hello", **changes: Any) -> str:
    body = {"model": "sandbox-small", "messages": [{"role": "user", "content": text}]}
    return json.dumps({"custom_id": name, "method": "POST", "url": CHAT, "body": body, **changes}, ensure_ascii=False)


def body(**changes: Any) -> dict[str, Any]:
    whole = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hello"}], **changes}
    return {name: value for name, value in whole.items() if value is not None}


LINES: list[tuple[str, str | None, str | None]] = [
    # the line, the custom_id of its answer (None: ours), the code of its failure (None: it is answered)
    ("\ufeff" + request("first"), "first", None),
    (request("second", text="a\u2028b\x85"), "second", None),
    ("{oops", None, "invalid_json_line"),
    ('{"custom_id": "cut", "method": "POST", "url"', "cut", "invalid_json_line"),
    (request("second", text="something else"), "second", "duplicate_custom_id"),
    (request("get", method="GET"), "get", "invalid_method"),
    (request("elsewhere", url="/v1/embeddings"), "elsewhere", "invalid_url"),
    (request(7), None, "invalid_request"),
    (request(""), None, "missing_required_parameter"),
    (request("bodiless", body=None), "bodiless", "missing_required_parameter"),
    (request("large", body=body(model="sandbox-large")), "large", "mismatched_model"),
    (request("streamed", body=body(stream=True)), "streamed", "streaming_unsupported"),
    (request("mute", body=body(messages=[])), "mute", "invalid_request"),
    (request("modelless", body=body(model=None)), "modelless", None),
    (request("hot", body=body(temperature=9)), "hot", "decimal_out_of_range"),
    (request("last"), "last", None),
]


def test_good_lines_are_asked_and_bad_ones_fail_by_line(place: Place) -> None:
    place.drop("lines/asked.jsonl", "\r\n".join(line for line, _, _ in LINES) + "\n\n")
    done = place.batchd("once")
    assert done.returncode == 3, done.stderr
    outbox = place.folder / "outbox" / "lines"
    content = (outbox / "asked.results.jsonl").read_bytes()
    answers = [json.loads(line) for line in content.split(b"\n")[:-1]]
    report = json.loads((outbox / "asked.report.json").read_bytes())

    job = report["job"]
    called = [theirs or f"{job}-{number}" for number, (_, theirs, _) in enumerate(LINES)]
    assert [answer["custom_id"] for answer in answers] == called
    for answer, (line, _, code) in zip(answers, LINES, strict=True):
        # The same keys whether it went well or not: a program that reads OpenAI's output reads this.
        assert {"id", "custom_id", "response", "error"} <= answer.keys(), line
        if code is None:
            assert (answer["error"], answer["response"]["status_code"]) == (None, 200)
            assert answer["response"]["body"]["choices"][0]["message"]["content"]
        elif code == "decimal_out_of_range":
            # The provider's own refusal stays as the provider wrote it.
            assert answer["response"]["status_code"] == 400
            assert answer["response"]["body"]["error"]["code"] == code
        else:
            assert answer["response"] is None
            assert answer["error"]["code"] == code
            assert answer["error"]["message"].endswith(".")
    assert answers[2]["error"]["message"].startswith("Line 3: This line is not valid JSON")
    assert "in row 2 of this file" in answers[4]["error"]["message"]

    good = sum(code is None for _, _, code in LINES)
    assert report["rows"] == {"total": len(LINES), "ok": good, "failed": len(LINES) - good, "skipped": 0, "reused": 0}
    ledger = place.ledger()
    # What a service would refuse never got there; or, the sandbox being strict, it would have sunk the batch.
    assert ledger["requests_executed"] == good
    assert len(ledger["batches"]) == 1

    failed = (outbox / "asked.failed.jsonl").read_text("utf-8").split("\n")[:-1]
    bad = [line for line, _, code in LINES if code is not None]
    assert [_loaded(line) for line in failed] == [_loaded(line) for line in bad]
    assert failed[:2] == bad[:2]


def _loaded(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line


def test_what_validate_says_of_a_file_is_what_becomes_of_its_lines(place: Place) -> None:
    """The sentences are the same, and a repaired file comes back without a failure."""
    source = place.folder / "asked.jsonl"
    lines = [line for line, _, code in LINES if code != "decimal_out_of_range" and "modelless" not in line]
    source.write_text("\n".join(lines) + "\n", "utf-8")
    said = place.batchd("validate", "asked.jsonl", "--repair", "fixed.jsonl", "--json")
    assert said.returncode == 1
    faults = [json.loads(line) for line in said.stdout.splitlines()[:-1]]
    told = {fault["line"]: fault["message"] for fault in reversed(faults)}

    place.drop("lines/asked.jsonl", source.read_text("utf-8"))
    place.drop("lines/fixed.jsonl", (place.folder / "fixed.jsonl").read_text("utf-8"))
    assert place.batchd("once").returncode == 3
    outbox = place.folder / "outbox" / "lines"
    assert not (outbox / "fixed.failed.jsonl").exists()
    answers = [json.loads(line) for line in (outbox / "asked.results.jsonl").read_bytes().split(b"\n")[:-1]]
    for number, answer in enumerate(answers, start=1):
        if answer["error"] is None:
            # A mark before the file is no reason not to ask.
            assert number not in told or number == 1
        elif answer["error"]["code"] not in {"duplicate_custom_id", "invalid_url", "mismatched_model"}:
            # These name the row, or the folder's endpoint or model, where there is a folder.
            assert answer["error"]["message"].removeprefix(f"Line {number}: ") == told[number]
    assert json.loads((outbox / "fixed.report.json").read_bytes())["failures"] == []
