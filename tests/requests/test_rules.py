"""The rules of a request: each broken alone, by its code, its field and a sentence; and none broken by what is good."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.model import Failure
from batchd.requests import rules as requests
from batchd.requests.rules import ENDPOINTS, BodyRules, Fault, body_faults, operation, request_failure, request_faults

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CHAT = "/v1/chat/completions"
ASKED = [{"role": "user", "content": "Hi"}]
GONE = object()


def request(*, body: Any = GONE, **changes: Any) -> dict[str, Any]:
    """A good request for a chat, but for these changes; GONE takes a field away."""
    line = {"custom_id": "mine", "method": "POST", "url": CHAT, "body": {"model": "small", "messages": ASKED}}
    if body is not GONE:
        line["body"] = body
    return {name: value for name, value in (line | changes).items() if value is not GONE}


def chat(**changes: Any) -> dict[str, Any]:
    """The same with these changes in its body."""
    body = {"model": "small", "messages": ASKED, **changes}
    return request(body={name: value for name, value in body.items() if value is not GONE})


def of(endpoint: str, **body: Any) -> dict[str, Any]:
    """A request for another endpoint."""
    return request(url=endpoint, body={"model": "small", **body})


BROKEN = [
    (request(custom_id=GONE), "missing_required_parameter", "custom_id", "is missing"),
    (request(custom_id=None), "missing_required_parameter", "custom_id", "is missing"),
    (request(custom_id=""), "missing_required_parameter", "custom_id", "is empty"),
    (request(custom_id=7), "invalid_request", "custom_id", "is 7"),
    (request(custom_id=["a"]), "invalid_request", "custom_id", "is a list"),
    (request(custom_id="x" * 257), "string_above_max_length", "custom_id", "257 characters"),
    (request(method=GONE), "missing_required_parameter", "method", "is missing"),
    (request(method="GET"), "invalid_method", "method", "“GET”"),
    (request(method="post"), "invalid_method", "method", "“post”"),
    (request(method=True), "invalid_method", "method", "true"),
    (request(url=GONE), "missing_required_parameter", "url", "is missing"),
    (request(url=1.5), "invalid_request", "url", "is 1.5"),
    (request(url="/v1/chat"), "invalid_url", "url", "batches do not know"),
    (request(url=""), "invalid_url", "url", "“”"),
    (request(url="chat/completions"), "invalid_url", "url", "batches do not know"),
    (request(url="https://api.example/v1/chat/completions"), "invalid_url", "url", "without the address"),
    ({**request(), "body": None}, "missing_required_parameter", "body", "is missing"),
    (request(body="{}"), "invalid_request", "body", "is “{}”"),
    (request(body=[ASKED]), "invalid_request", "body", "is a list"),
    (chat(model=GONE), "missing_required_parameter", "body.model", "is missing"),
    (chat(model=""), "missing_required_parameter", "body.model", "is missing"),
    (chat(model=4), "invalid_request", "body.model", "is 4"),
    (chat(stream=True), "streaming_unsupported", "body.stream", "cannot stream"),
    (chat(stream="yes"), "invalid_request", "body.stream", "“yes”"),
    (chat(stream=0), "invalid_request", "body.stream", "is 0"),
    (chat(messages=GONE), "missing_required_parameter", "body.messages", "is missing"),
    (chat(messages=[]), "invalid_request", "body.messages", "is an empty list"),
    (chat(messages="Hi"), "invalid_request", "body.messages", "is “Hi”"),
    (chat(messages=ASKED[0]), "invalid_request", "body.messages", "is an object"),
    (chat(messages=["Hi"]), "invalid_request", "body.messages[0]", "is “Hi”"),
    (chat(messages=[*ASKED, {"content": "x"}]), "missing_required_parameter", "body.messages[1].role", "no role"),
    (chat(messages=[{"role": 3}]), "invalid_request", "body.messages[0].role", "no role"),
    (of("/v1/responses"), "missing_required_parameter", "body.input", "is missing"),
    (of("/v1/responses", input=[]), "invalid_request", "body.input", "an empty list"),
    (of("/v1/responses", prompt="p"), "missing_required_parameter", "body.input", "is missing"),
    (of("/v1/embeddings"), "missing_required_parameter", "body.input", "is missing"),
    (of("/v1/embeddings", input=""), "invalid_request", "body.input", "“”"),
    (of("/v1/embeddings", input={"a": 1}), "invalid_request", "body.input", "an object"),
    (of("/v1/moderations"), "missing_required_parameter", "body.input", "is missing"),
    (of("/v1/completions"), "missing_required_parameter", "body.prompt", "is missing"),
    (of("/v1/completions", prompt=3), "invalid_request", "body.prompt", "is 3"),
    (of("/v1/images/generations"), "missing_required_parameter", "body.prompt", "is missing"),
    (of("/v1/images/edits"), "missing_required_parameter", "body.prompt", "is missing"),
    (of("/v1/videos", prompt=""), "invalid_request", "body.prompt", "“”"),
]

GOOD = [
    request(),
    request(custom_id="x" * 256, note="what else there is does not matter"),
    chat(stream=False),
    chat(stream=None, max_tokens=5, temperature=0),
    chat(messages=[{"role": "assistant", "content": None, "tool_calls": [{}]}]),
    request(url="/chat/completions"),
    request(url="/v4/chat/completions"),
    of("/v1/responses", input="Hi"),
    of("/v1/responses", input=ASKED),
    of("/v1/responses", prompt={"id": "pmpt_1"}),
    of("/v1/embeddings", input=["a", "b"]),
    of("/v1/embeddings", input=[1, 2, 3]),
    of("/v1/moderations", input="Hi"),
    of("/v1/completions", prompt=""),
    of("/v1/completions", prompt=["a"]),
    of("/v1/images/generations", prompt="A cat."),
    of("/v1/images/edits", prompt="A hat."),
    of("/v1/videos", prompt="A cat."),
]


@pytest.mark.parametrize(("line", "code", "param", "says"), BROKEN)
def test_each_rule_has_its_code_its_field_and_a_sentence_that_says_how_to_fix_it(
    line: dict[str, Any], code: str, param: str, says: str
) -> None:
    [fault] = request_faults(line)
    assert (fault.code, fault.param) == (code, param)
    assert says in fault.message
    assert fault.message.startswith(("custom_id", "method", "url", "body"))
    assert fault.message.endswith(".")
    assert any(word in fault.message for word in ("Write", "Remove", "Put", "Shorten"))


@pytest.mark.parametrize("line", GOOD)
def test_what_services_take_breaks_no_rule(line: dict[str, Any]) -> None:
    assert request_faults(line) == []


def test_all_that_is_wrong_with_a_line_is_told() -> None:
    line = {"custom_id": 7, "method": "GET", "url": "/x", "body": {"stream": True, "messages": []}}
    assert [fault.param for fault in request_faults(line)] == [
        "custom_id",
        "method",
        "url",
        "body.model",
        "body.stream",
    ]
    assert [fault.param for fault in request_faults({})] == ["custom_id", "method", "url", "body"]


def test_an_endpoint_that_is_allowed_has_no_rules_but_those_of_all() -> None:
    line = of("/v1/chat/ds-test", anything=1)
    assert [fault.code for fault in request_faults(line)] == ["invalid_url"]
    assert request_faults(line, allowed=["/v1/chat/ds-test"]) == []
    streaming = of("/v1/chat/ds-test", stream=True)
    assert [fault.code for fault in request_faults(streaming, allowed=["/v1/chat/ds-test"])] == [
        "streaming_unsupported"
    ]


def test_of_a_line_that_is_dropped_the_envelope_is_looked_at_for_one_endpoint() -> None:
    assert request_failure(request(), CHAT) is None
    assert request_failure(chat(messages=GONE), CHAT) is None
    assert request_failure(of("/v1/my/own"), "/v1/my/own") is None
    failure = request_failure(request(url="/v1/embeddings"), CHAT)
    assert failure == Failure("invalid_url", f"url is “/v1/embeddings”, and must be “{CHAT}” here. Write that.")
    missing = request_failure(request(url=GONE), "/v1/embeddings")
    assert missing is not None
    assert '"/v1/embeddings"' in missing.message


def test_every_endpoint_of_batches_is_known_whatever_its_version() -> None:
    for endpoint in ENDPOINTS:
        bare = endpoint.removeprefix("/v1")
        assert operation(endpoint) == operation(bare) == operation(f"/v4{bare}") == bare
    for other in ("", "/", "/v1", "/v1/v1/chat/completions", "/chat/v1/completions", "/v1/chat/completions/", "/v1x"):
        assert operation(other) is None


# --- bodies that batchd builds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", GOOD)
def test_an_encoded_body_that_is_good_is_taken(line: dict[str, Any]) -> None:
    assert BodyRules(line["url"], "small").read(msgspec.json.encode(line["body"]))[0] is None


@pytest.mark.parametrize(
    "line", [line for line, _, param, _ in BROKEN if param.startswith("body.")], ids=lambda line: str(line["body"])[:50]
)
def test_an_encoded_body_that_is_not_has_the_same_fault(line: dict[str, Any]) -> None:
    fault, _ = BodyRules(line["url"], "small").read(msgspec.json.encode(line["body"]))
    assert fault == request_faults(line)[0]


def test_a_body_for_another_model_than_the_batch_is_for() -> None:
    fault, _ = BodyRules(CHAT, "small").read(msgspec.json.encode(chat(model="large")["body"]))
    assert fault == requests.not_of_route("large", "small")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":"small","model":"small"', b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_the_builders_fault(body: bytes) -> None:
    fault, _ = BodyRules(CHAT, "small").read(body)
    assert fault is not None
    assert fault.code == "build"


@pytest.mark.parametrize(
    ("body", "most"),
    [
        (b"{}", 0),
        (b'{"max_tokens":50}', 50),
        (b'{"max_completion_tokens":60,"max_tokens":50}', 60),
        (b'{"max_output_tokens":70}', 70),
        (b'{"max_tokens":"50"}', 0),
        (b'{"max_tokens":true}', 0),
        (b'{"max_tokens":null,"n":4}', 0),
        (b'{"max_tokens":50,"n":4}', 200),
        (b'{"max_tokens":50,"n":"4"}', 50),
        (b'{"max_tokens":50,"n":-1}', 50),
        (b'{"tools":[{"max_tokens":9}],"max_tokens":50}', 50),
        (b'{"stream":false,"max_tokens":50}', 50),
    ],
)
def test_the_most_output_tokens_of_a_body(body: bytes, most: int) -> None:
    given = b'{"model":"small","messages":[{"role":"user"}],' + body[1:] if body != b"{}" else body
    assert BodyRules(CHAT, "small").read(given)[1] == most


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "small", "user"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["role", "content"]), inner, max_size=2)
    ),
    max_leaves=6,
)
BODIES = st.dictionaries(
    st.sampled_from(["model", "messages", "stream", "input", "prompt", "n", "max_tokens"]), JSON
) | st.builds(
    lambda **body: body, model=st.just("small"), messages=JSON, input=JSON, prompt=JSON, n=JSON, max_tokens=JSON
)


@PATIENT
@given(BODIES, st.sampled_from([*ENDPOINTS, "/v1/other"]))
def test_the_quick_way_and_the_slow_one_agree(body: dict[str, Any], endpoint: str) -> None:
    quick, most = BodyRules(endpoint, "small").read(msgspec.json.encode(body))
    slow = body_faults(body, endpoint)
    if not slow and body["model"] != "small":
        slow = [requests.not_of_route(body["model"], "small")]
    assert quick == (slow[0] if slow else None)
    limit = body.get("max_tokens")
    assert most == (
        0 if slow or type(limit) is not int else limit * max(body["n"] if type(body.get("n")) is int else 1, 1)
    )


@PATIENT
@given(
    st.dictionaries(st.sampled_from(["custom_id", "method", "url", "body"]), JSON | BODIES | st.sampled_from([CHAT]))
)
def test_no_line_is_too_odd(line: dict[str, Any]) -> None:
    faults = request_faults(line)
    assert all(isinstance(fault, Fault) and fault.message for fault in faults)
    if not faults:
        assert isinstance(line["custom_id"], str)


# --- sentences about lines and files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (requests.mismatched_model("a", "b"), "mismatched_model", "“a”"),
        (requests.mismatched_url("/a", "/b"), "invalid_url", "“/b”"),
        (requests.duplicate_fault("x", "line 7"), "duplicate_custom_id", "in line 7"),
        (requests.duplicate_fault("x", "line 7", same=True), "duplicate_custom_id", "are the same"),
        (requests.duplicate_fault("x", "line 7", same=False), "duplicate_custom_id", "two requests differ"),
        (requests.duplicate_fault("x", "row 7", field="key"), "duplicate", "key “x”"),
        (requests.too_long(2_000_000, 1_000_000), "too_long", "2,000,000"),
        (requests.EMPTY, "empty_file", "no request"),
        (requests.no_text("UTF-16 text"), "not_utf8", "UTF-16 text"),
        (requests.too_many(60_000, 50_000), "too_many_tasks", "60,000"),
        (requests.too_large(300, 200), "file_too_large", "300"),
    ],
)
def test_the_other_sentences(fault: Fault, code: str, says: str) -> None:
    assert fault.code == code
    assert says in fault.message
    assert fault.message.endswith(".")


def test_a_value_is_shown_in_short() -> None:
    assert requests.shown("x" * 500) == f"“{'x' * 100}…”"
    assert [requests.shown(value) for value in ({}, [], {"a": 1}, [1], None, False, 1.5)] == [
        "an empty object",
        "an empty list",
        "an object",
        "a list",
        "nothing",
        "false",
        "1.5",
    ]
