"""docs/validate.md has the rules as they are."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from batchd.requests import rules as requests
from batchd.requests.json_lines import UNREADABLE
from batchd.requests.rules import ENDPOINTS, MAX_CUSTOM_ID, request_faults

from ..requests.test_rules import BROKEN
from .pages import DOCS, blocks, code, tables

PAGE = DOCS / "validate.md"
TEXT = PAGE.read_text("utf-8")
ROWS = tables(PAGE)


def test_every_code_is_there_and_no_other() -> None:
    beside = [
        requests.mismatched_model("a", "b"),
        requests.mismatched_url("a", "b"),
        requests.duplicate_fault("a", "line 1"),
        requests.too_long(2, 1),
        requests.EMPTY,
        requests.no_text("UTF-16"),
        requests.too_many(2, 1),
        requests.too_large(2, 1),
    ]
    known = {each for _, each, _, _ in BROKEN} | {fault.code for fault in beside} | UNREADABLE
    assert {code(row[0]) for row in ROWS["The codes"]} == known
    # A code that only the source has would be missed by the line above.
    source = Path(requests.__file__).read_text("utf-8")
    written = {
        found
        for line in re.findall(r"(?:Fault\(|_MISSING, _INVALID = ).*", source)
        for found in re.findall(r'"([a-z_]+)"', line)
    }
    assert written - known <= {"method", "url", "body", "build", "duplicate", "custom_id"}


def test_every_endpoint_is_there_with_what_its_body_must_have() -> None:
    listed = {code(row[0]): row[1] for row in ROWS["A request"] if (code(row[0]) or "").startswith("/")}
    assert set(listed) == set(ENDPOINTS)
    for endpoint, must in listed.items():
        assert endpoint is not None
        missing = {"custom_id": "a", "method": "POST", "url": endpoint, "body": {"model": "m"}}
        [fault] = request_faults(missing)
        assert must.startswith(f"`{(fault.param or '').removeprefix('body.')}`:")


def test_every_field_is_there() -> None:
    fields = {code(row[0]) for row in ROWS["A request"]} - set(ENDPOINTS)
    asked = {param.partition("[")[0] for _, _, param, _ in BROKEN}
    assert fields == {field for field in asked if field.split(".")[-1] not in ("messages", "input", "prompt")}
    assert f"at most {MAX_CUSTOM_ID} characters" in TEXT


def test_the_request_that_is_shown_is_one() -> None:
    [block] = blocks(PAGE, "json")
    assert request_faults(msgspec.json.decode(block.text)) == []
