"""xAI's batches: a file ahead as OpenAI has it, counts in place of a status, answers in pages.

Read in November 2026 at docs.x.ai (developers/advanced-api-usage/batch-api, files). According to others: answers are
kept until expire_time, 30 days, and no call deletes them. Unverified: whether a batch counts all its requests at once.
So a batch that counts fewer requests than were sent has not ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from batchd import BatchPhase, BatchStatus, Json, Limits, Problem, Submission, read_count, read_id, read_moment

from .dialects import MAX_MESSAGE, Dialect, table
from .lines import LINE_ENDS, failed, too_large
from .splitter import Item

_NAME = re.compile(r"batchd-.+-(\d{1,12})")
_OWNER = re.compile(rb'"batch_request_id"\s*:\s*"((?:[^"\\]|\\.)*)"')
_FINAL = frozenset({3, 5, 6, 7, 9, 11, 12, 16})
"""gRPC codes of errors that asking again does not change: a bad argument, not found, no permission and so on."""


class _Data(msgspec.Struct):
    response: dict[str, msgspec.Raw] | None = None
    error: dict[str, Any] | None = None


class _Result(msgspec.Struct):
    batch_request_id: str
    batch_result: _Data | None = None
    error_message: str | None = None


_decoder = msgspec.json.Decoder(_Result)


class XAI(Dialect):
    """A file of requests, which may be for different endpoints."""

    name = "xai"
    base_url = "https://api.x.ai/v1"
    key = "env:XAI_API_KEY"
    # Its pages give both 48 and 50 MB as the limit of a file. Batches of more than 100,000 requests are slowed down.
    limits = Limits(max_requests=50_000, max_bytes=48_000_000)
    window = 24 * 3_600.0
    files = "/files"
    cancel = ":cancel"
    deletes = False
    has_status = False
    kept = "xAI keeps the answers for 30 days and has no call that deletes them."
    listed = "batches"
    answers = "/results"
    answer_query = {"limit": "1000"}  # noqa: RUF012  # a ClassVar in Dialect
    answer_lists = ("results",)

    def create_body(self, submission: Submission) -> Mapping[str, Json]:
        """The name comes back with the batch: it says whose the batch is, and how many requests were sent."""
        return {"name": f"batchd-{submission.key}-{submission.requests}", "input_file_id": submission.upload}

    def status(self, record: Mapping[str, Json]) -> BatchStatus:
        """Derive the phase from the counts, and from whether and by whom the batch was cancelled."""
        state, reason = table(record.get("state")), record.get("cancel_by_xai_message")
        total, pending = read_count(state.get("num_requests")), read_count(state.get("num_pending"))
        named = _NAME.fullmatch(str(record.get("name")))
        if record.get("cancel_time"):
            phase = BatchPhase.FAILED if reason else BatchPhase.CANCELLING if pending else BatchPhase.CANCELLED
        elif not total:
            phase = BatchPhase.VALIDATING
        elif pending or (named and total < int(named[1])):
            phase = BatchPhase.IN_PROGRESS
        else:
            phase = BatchPhase.COMPLETED
        return BatchStatus(
            phase,
            total=total,
            completed=read_count(state.get("num_success")),
            failed=read_count(state.get("num_error")) + read_count(state.get("num_cancelled")),
            problems=(Problem("cancelled_by_service", str(reason)[:MAX_MESSAGE]),) if reason else (),
            answers_until=read_moment(record.get("expire_time")) if phase.ended else None,
        )

    def line(self, item: Item, key: str) -> bytes | None:
        """Take the answer out of its frame, where it is under the name of the endpoint that was called."""
        if not item.whole:
            found = _OWNER.search(item.raw)
            return too_large(found[1]) if found else None
        try:
            result = _decoder.decode(item.raw)
        except msgspec.DecodeError:
            return _loosely(item.raw)
        custom_id = msgspec.json.encode(result.batch_request_id)[1:-1]
        data = result.batch_result or _Data()
        body = next(iter((data.response or {}).values()), None)
        if body is None or bytes(body) == b"null":
            return _failed(custom_id, data.error or {}, result.error_message)
        return b'{"custom_id":"%s","response":{"status_code":200,"body":%s},"error":null}' % (
            custom_id,
            bytes(body).translate(LINE_ENDS),
        )

    def is_of(self, record: Mapping[str, Json], submission: Submission) -> bool | None:
        """Compare the name, or the file."""
        if str(record.get("name")).startswith(f"batchd-{submission.key}-"):
            return True
        return bool(submission.upload) and record.get("input_file_id") == submission.upload

    def next_batches(self, page: Mapping[str, Json], query: Mapping[str, str]) -> Mapping[str, str] | None:
        """Go on at the page's token."""
        token = read_id(page.get("pagination_token"))
        return {**query, "pagination_token": token} if token and page.get(self.listed) else None

    def next_answers(self, page: Mapping[str, Json]) -> Mapping[str, str] | None:
        """Go on at the page's token."""
        token = read_id(page.get("pagination_token"))
        return {**self.answer_query, "pagination_token": token} if token else None


def _failed(custom_id: bytes, error: Mapping[str, Any], message: str | None) -> bytes:
    code = error.get("code")
    said = error.get("message") or message or "The service gave no answer to this row, and no reason."
    return failed(custom_id, f"xai_{code}" if code else "error", str(said)[:MAX_MESSAGE], transient=code not in _FINAL)


def _loosely(raw: bytes) -> bytes | None:
    """Do as `line` for JSON that is not quite valid, such as with NaN. What cannot be read at all fails its row."""
    found = _OWNER.search(raw)
    if found is None:
        return None
    try:
        response = table(table(json.loads(raw.decode("utf-8", "replace")).get("batch_result")).get("response"))
        body = next(iter(response.values()), None)
    except (ValueError, RecursionError, AttributeError):
        body = None
    if body is None:
        return failed(
            found[1], "unreadable_line", "The service's answer to this row is not valid JSON.", transient=True
        )
    line = json.dumps({"status_code": 200, "body": body}).encode()
    return b'{"custom_id":"%s","response":%s,"error":null}' % (found[1], line)
