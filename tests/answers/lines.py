"""Lines of a provider's output, and what they mean: as OpenAI writes them, and as others have been seen to.

Numbers are rows of a table of what was seen in the wild.
"""

from __future__ import annotations

import json
from typing import Any

from batchd.answers.meaning import outcome
from batchd.model import Body, Json, Response

USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def chat(text: str | None, **more: Any) -> Body:
    """A chat completion."""
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": USAGE} | more


def line(response: Json, error: Json = None, **more: Any) -> bytes:
    """An output line of row 3."""
    return json.dumps({"id": "r", "custom_id": "job-3", "response": response, "error": error} | more).encode()


def answered(text: str | None = "yes", status: Json = 200) -> bytes:
    """A line that answers row 3."""
    return line({"status_code": status, "request_id": "q", "body": chat(text)})


def failed(status: Json, error: Json = None) -> bytes:
    """A line of an HTTP failure, as OpenAI writes it: inside of the body, with `error: null` beside it."""
    return line({"status_code": status, "request_id": "q", "body": {"error": error}})


ERROR = {"message": "Too many words.", "type": "invalid_request_error", "param": "messages", "code": "too_long"}

SHAPES: dict[str, tuple[bytes, str]] = {
    # --- answers
    "ok": (answered(), "ok"),
    "201": (answered(status=201), "ok"),
    "a gateway without a status": (line({"body": chat("yes")}), "ok"),
    "a status in quotes": (answered(status="200"), "ok"),
    "length is an answer": (
        line({"status_code": 200, "body": {"choices": [{"message": {"content": "y"}, "finish_reason": "length"}]}}),
        "ok",
    ),
    "responses endpoint": (line({"status_code": 200, "body": {"output": [{"type": "message"}]}}), "ok"),
    "embeddings endpoint": (line({"status_code": 200, "body": {"data": [{"embedding": [0.1]}]}}), "ok"),
    "moderations endpoint": (line({"status_code": 200, "body": {"results": [{"flagged": False}]}}), "ok"),
    "an answer beside an empty error": (line({"status_code": 200, "body": chat("yes")}, {}), "ok"),
    # --- 4: a refusal stands in response.body.error, with the top-level error null
    "400": (failed(400, ERROR), "too_long permanent"),
    "401": (failed(401, ERROR), "too_long permanent"),
    "404 and no reason": (failed(404), "http_404 permanent"),
    "422 as text": (line({"status_code": 422, "body": "no"}), "http_422 permanent"),
    "vLLM: 400, no body, error as text": (line({"status_code": 400, "body": None}, "bad"), "http_400 permanent"),
    "vLLM: 400, no body, error as object": (
        line({"status_code": 400, "body": None}, {"message": "bad", "code": 40001}),
        "40001 permanent",
    ),
    "a code that is null": (failed(400, ERROR | {"code": None}), "invalid_request_error permanent"),
    # --- JSON but for what some services write into it: paid, and readable
    "NaN": (line({"status_code": 200, "body": chat("yes", logprobs=float("nan"))}), "ok"),
    "infinity": (line({"status_code": 200, "body": chat("yes", logprobs=[float("-inf")])}), "ok"),
    "half a surrogate pair": (answered("yes \ud83d"), "ok"),
    "half a surrogate pair, unescaped": (answered().replace(b"yes", b"yes \xed\xa0\xbd"), "ok"),
    "a tab in a string, unescaped": (answered().replace(b"yes", b"y\tes"), "ok"),
    "a refusal with NaN": (failed(400, ERROR | {"param": float("nan")}), "too_long permanent"),
    # --- asking again may help
    "408": (failed(408), "http_408 transient"),
    "409": (failed(409), "http_409 transient"),
    "425": (failed(425), "http_425 transient"),
    "429": (failed(429, {"code": "rate_limit_exceeded"}), "rate_limit_exceeded transient"),
    "500": (failed(500, {"message": "oops"}), "http_500 transient"),
    "503 as HTML": (line({"status_code": 503, "body": "<html>"}), "http_503 transient"),
    "302": (failed(302), "http_302 transient"),  # no client error: some gateway in between was not well
    "101": (failed(101), "http_101 transient"),
    # --- 3: "0 failed", and yet
    "status 0": (line({"status_code": 0, "request_id": "", "body": {}}), "http_0 transient"),
    "status null, empty body": (line({"status_code": None, "body": {}}), "http_0 transient"),
    "status true": (line({"status_code": True, "body": {}}), "http_0 transient"),
    # --- 1.3 and 8: top-level errors, for what never ran
    "batch_expired": (line(None, {"code": "batch_expired", "message": "late"}), "batch_expired transient"),
    "batch_cancelled": (line(None, {"code": "batch_cancelled", "message": "x"}), "batch_cancelled transient"),
    "expired with other words": (line(None, {"message": "You can retry your request"}), "error transient"),
    "a top-level error as text": (line(None, "went wrong"), "error transient"),
    "a top-level error as list": (line(None, ["went", "wrong"]), "error transient"),
    "an empty top-level error": (line(None, {}), "error transient"),
    "a failure for good, by our own format": (
        line(None, {"code": "refused", "message": "no", "transient": False}),
        "refused permanent",
    ),
    # --- 200 without an answer
    "200 and an error": (line({"status_code": 200, "body": {"error": ERROR}}), "too_long transient"),
    "200 and no choices": (line({"status_code": 200, "body": {"choices": []}}), "empty_answer permanent"),
    "200 and null": (line({"status_code": 200, "body": None}), "empty_answer permanent"),
    "200 and text": (line({"status_code": 200, "body": "hello"}), "unreadable_answer permanent"),
    "200 and a page of HTML": (line({"status_code": 200, "body": "<html>"}), "unreadable_answer permanent"),
    "200 and the answer as text": (line({"status_code": 200, "body": json.dumps(chat("yes"))}), "ok"),
    "200 and the answer as text of text": (
        line({"status_code": 200, "body": json.dumps(json.dumps(chat("yes")))}),
        "ok",
    ),
    "a response as text": (line(json.dumps({"status_code": 200, "body": chat("yes")})), "ok"),
    "a stream of events": (
        line({"status_code": 200, "body": 'data: {"choices":[{"delta":{"content":"yes"}}]}\n\ndata: [DONE]\n'}),
        "ok",
    ),
    "an envelope": (line({"status_code": 200, "body": {"code": 0, "data": chat("yes")}}), "ok"),
    "no frame": (line(chat("yes")), "ok"),
    "429 in quotes": (line({"status_code": "429", "body": {"error": ERROR}}), "too_long transient"),
    "200 and a filter": (
        line({"status_code": 200, "body": {"error": {"code": "content_filter", "message": "no"}}}),
        "content_filter permanent",
    ),
    # --- another frame
    "a comma behind the line": (answered() + b",", "ok"),
    "an event of a stream": (b"data: " + answered(), "ok"),
    "errors as a list": (
        b'{"custom_id":"job-3","response":null,"errors":[{"code":"boom","message":"x"}]}',
        "boom transient",
    ),
    "a result that errored": (
        b'{"custom_id":"job-3","result":{"type":"errored","error":{"type":"overloaded_error","message":"x"}}}',
        "overloaded_error transient",
    ),
    "a status in words": (
        line({"status_code": "429 Too Many Requests", "body": {"error": {"message": "x"}}}),
        "http_429 transient",
    ),
    "200 and a refusal in words": (line({"status_code": 200, "body": {"code": 1113, "msg": "欠费"}}), "1113 transient"),
    "200 and a base_resp": (
        line({"status_code": 200, "body": {"base_resp": {"status_code": 1008, "status_msg": "x"}}}),
        "1008 transient",
    ),
    "neither answer nor error": (line(None), "empty_answer transient"),
    "response as text": (line("hello"), "empty_answer transient"),
    "response as list": (line([200]), "empty_answer transient"),
    "nothing but the id": (b'{"custom_id":"job-3"}', "empty_answer transient"),
    # --- 5 and 6: no JSON, or none of the shape
    "cut off": (answered()[:-20], "unreadable_line transient"),
    "two objects": (answered() + answered(), "unreadable_line transient"),
    "nested without end": (b'{"custom_id":"job-3","response":' + b"[" * 100_000, "unreadable_line transient"),
    "odd bytes": (answered().replace(b"yes", b"\xff\xfe"), "unreadable_line transient"),
    "a list": (b'["custom_id", "job-3"]', "unreadable_line transient"),
    "a number": (b"5", "unreadable_line transient"),
    "empty": (b"", "unreadable_line transient"),
    "HTML": (b"<html>504</html>", "unreadable_line transient"),
}


def said(raw: bytes) -> str:
    """The outcome of a line in two words."""
    found = outcome(raw)
    if isinstance(found, Response):
        return "ok"
    assert found.message, "a person must be told something"
    return f"{found.code} {'transient' if found.transient else 'permanent'}"
