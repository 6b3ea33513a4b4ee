"""The rules that a batch service has for requests, in one place.

A service checks every line of a batch's input file before it runs any. At most services one line that breaks a rule
makes the whole batch fail, minutes or hours later. So batchd checks the rules beforehand: for a file that a person
validates, for dropped files of requests, and for each request that it builds itself.

The codes are OpenAI's or, if OpenAI has none, those of a service with the same API; the sentences are ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from ..model import Failure, Json
from .json_lines import read_json_line

MAX_CUSTOM_ID = 256
"""The most characters of a custom_id: the lowest limit that a service documents."""

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
"""The endpoints of OpenAI's batches. Other services have some of them, a few with another version, or with none."""

_VERSION = re.compile(r"/v\d+(?=/)")
_OPERATIONS = frozenset(endpoint.removeprefix("/v1") for endpoint in ENDPOINTS)
_MISSING, _INVALID = "missing_required_parameter", "invalid_request"


class Fault(Struct, frozen=True):
    """A rule that a request breaks: a code, a sentence that says how to fix it, and the field that is wrong."""

    code: str
    message: str
    param: str | None = None


@lru_cache(maxsize=64)
def operation(endpoint: str) -> str | None:
    """An endpoint's path without its version; None if batchd does not know the endpoint.

    >>> operation("/v1/chat/completions"), operation("/chat/completions"), operation("/v1/chat/other")
    ('/chat/completions', '/chat/completions', None)
    """
    version = _VERSION.match(endpoint)
    bare = endpoint[version.end() :] if version else endpoint
    return bare if bare in _OPERATIONS else None


def writes(endpoint: str) -> bool:
    """Whether the service writes tokens there: vectors and verdicts are paid by their input alone."""
    return operation(endpoint) not in {"/embeddings", "/moderations"}


def fits(endpoint: str, written: Collection[str]) -> bool:
    """Whether requests for some endpoints can be sent to this one.

    True if batchd does not know the endpoint, since the operator may, or if the requests are for no particular one.
    """
    what = operation(endpoint)
    return not written or endpoint in written or what is None or what in map(operation, written)


# --- one line of a file ------------------------------------------------------------------------------------------


def request_failure(line: Mapping[str, Json], url: str) -> Failure | None:
    """Why a line is not a request for the endpoint `url`, None if it is one. Does not check the fields of its body."""
    fault = next(_envelope(line, url=url), None)
    return None if fault is None else Failure(fault.code, fault.message)


def request_faults(line: Mapping[str, Json], *, allowed: Collection[str] = ()) -> list[Fault]:
    """All faults of a single line. `allowed` are endpoints that batchd does not know."""
    url, body = line.get("url"), line.get("body")
    faults = list(_envelope(line, allowed=allowed))
    if isinstance(body, dict):
        faults += _body(body, operation(url) if isinstance(url, str) else None)
    return faults


def _envelope(line: Mapping[str, Json], *, url: str | None = None, allowed: Collection[str] = ()) -> Iterator[Fault]:
    yield from _custom_id(line.get("custom_id"))
    method = line.get("method")
    if method is None:
        yield Fault(_MISSING, 'method is missing. Write "method": "POST".', "method")
    elif method != "POST":
        message = f'method is {shown(method)}, and batches know only POST. Write "method": "POST".'
        yield Fault("invalid_method", message, "method")
    yield from _url(line.get("url"), url, allowed)
    body = line.get("body")
    if body is None:
        yield Fault(_MISSING, "body is missing. Write the request into it, as a JSON object.", "body")
    elif not isinstance(body, dict):
        yield Fault(_INVALID, f"body is {shown(body)}. Write the request there, as a JSON object.", "body")


def _custom_id(custom_id: Json) -> Iterator[Fault]:
    if custom_id is None:
        yield Fault(_MISSING, "custom_id is missing. Write one that no other line has.", "custom_id")
    elif not isinstance(custom_id, str):
        message = f"custom_id is {shown(custom_id)}, and must be text. Put it in quotes."
        yield Fault(_INVALID, message, "custom_id")
    elif not custom_id:
        yield Fault(_MISSING, "custom_id is empty. Write one that no other line has.", "custom_id")
    elif len(custom_id) > MAX_CUSTOM_ID:
        message = f"custom_id has {len(custom_id):,} characters, and may have {MAX_CUSTOM_ID}. Shorten it."
        yield Fault("string_above_max_length", message, "custom_id")


def _url(url: Json, expected: str | None, allowed: Collection[str]) -> Iterator[Fault]:
    if url is None:
        yield Fault(_MISSING, f'url is missing. Write "url": "{expected or ENDPOINTS[0]}".', "url")
    elif not isinstance(url, str):
        yield Fault(_INVALID, f"url is {shown(url)}. Write the path of an endpoint, in quotes.", "url")
    elif expected is not None:
        if url != expected:
            yield Fault("invalid_url", f"url is {shown(url)}, and must be “{expected}” here. Write that.", "url")
    elif operation(url) is None and url not in allowed:
        whole = " without the address before it" if "://" in url else ""
        message = f"url is {shown(url)}, which batches do not know. Write one{whole}, such as “{ENDPOINTS[0]}”."
        yield Fault("invalid_url", message, "url")


# --- the body ------------------------------------------------------------------------------------------------------


def body_faults(body: Mapping[str, Json], endpoint: str) -> list[Fault]:
    """All faults of a request's body for this endpoint."""
    return list(_body(body, operation(endpoint)))


def _body(body: Mapping[str, Json], what: str | None) -> Iterator[Fault]:
    model = body.get("model")
    if model is None or model == "":
        yield Fault(_MISSING, "body.model is missing. Write the name of the model.", "body.model")
    elif not isinstance(model, str):
        yield Fault(_INVALID, f"body.model is {shown(model)}. Write the name of the model, in quotes.", "body.model")
    stream = body.get("stream")
    if stream is True:
        message = "body.stream is true, and a batch cannot stream. Remove it."
        yield Fault("streaming_unsupported", message, "body.stream")
    elif stream is not None and stream is not False:
        yield Fault(_INVALID, f"body.stream is {shown(stream)}. Remove it.", "body.stream")
    match what:
        case "/chat/completions":
            yield from _messages(body.get("messages"))
        case "/responses":
            # A prompt that is stored at the service may contain the whole input.
            if not isinstance(body.get("prompt"), dict):
                yield from _input(body, "input", "what is asked")
        case "/embeddings" | "/moderations":
            yield from _input(body, "input", "the text")
        case "/completions":
            yield from _input(body, "prompt", "the text to continue", may_be_empty=True)
        case "/images/generations" | "/images/edits" | "/videos":
            yield from _input(body, "prompt", "what to show")


def _messages(messages: Json) -> Iterator[Fault]:
    what = 'Write a list such as [{"role": "user", "content": "…"}].'
    if messages is None:
        yield Fault(_MISSING, f"body.messages is missing. {what}", "body.messages")
    elif not isinstance(messages, list) or not messages:
        yield Fault(_INVALID, f"body.messages is {shown(messages)}. {what}", "body.messages")
    else:
        for number, message in enumerate(messages):
            place = f"body.messages[{number}]"
            if not isinstance(message, dict):
                yield Fault(_INVALID, f"{place} is {shown(message)}. Write an object with role and content.", place)
            elif not isinstance(message.get("role"), str) or not message["role"]:
                fault = _MISSING if message.get("role") in (None, "") else _INVALID
                yield Fault(fault, f"{place} has no role. Write who speaks, such as “user”.", f"{place}.role")


def _input(body: Mapping[str, Json], name: str, meaning: str, *, may_be_empty: bool = False) -> Iterator[Fault]:
    value, place = body.get(name), f"body.{name}"
    if value is None:
        yield Fault(_MISSING, f"{place} is missing. Write {meaning} there, as text or a list.", place)
    elif not isinstance(value, str | list) or (not value and not (may_be_empty and value == "")):
        yield Fault(_INVALID, f"{place} is {shown(value)}. Write {meaning} there, as text or a list.", place)


_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Items = Annotated[list[Any], msgspec.Meta(min_length=1)]


class _Lengths(msgspec.Struct, kw_only=True):
    """The fields of a body that limit the length of its answers."""

    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    max_tokens: Any = None
    n: Any = None

    def most(self) -> int:
        """The most tokens that the model may write, in all its answers; 0 if there is no limit."""
        most = self.max_completion_tokens
        if type(most) is not int:
            most = self.max_output_tokens
            if type(most) is not int:
                most = self.max_tokens
                if type(most) is not int:
                    return 0
        answers = self.n
        return most if answers is None else most * max(answers, 1) if type(answers) is int else most


class _Body(_Lengths, kw_only=True):
    """The least that a body must have, typed: a body that decodes as its endpoint's type breaks no rule.

    Three times as fast as `body_faults`.
    """

    model: _Text
    stream: bool | None = None


class _Message(msgspec.Struct):
    role: _Text


class _Messages(_Body, kw_only=True):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]


class _Input(_Body, kw_only=True):
    input: _Text | _Items


class _Prompt(_Body, kw_only=True):
    prompt: _Text | _Items


_lengths = msgspec.json.Decoder(_Lengths).decode

_TYPED: Mapping[str | None, type[_Body]] = {
    None: _Body,
    "/chat/completions": _Messages,
    "/responses": _Input,
    "/embeddings": _Input,
    "/moderations": _Input,
    "/completions": _Prompt,
    "/images/generations": _Prompt,
    "/images/edits": _Prompt,
    "/videos": _Prompt,
}


class BodyRules:
    """The same rules for encoded bodies of one endpoint and model. Fast, since batchd builds millions of them."""

    def __init__(self, endpoint: str, model: Json) -> None:
        self._endpoint = endpoint
        self._model = model
        self._decode = msgspec.json.Decoder(_TYPED[operation(endpoint)]).decode

    def read(self, body: bytes) -> tuple[Fault | None, int]:
        """The first rule that the body breaks, None if a service will accept it; and the most tokens of its answers.

        The tokens are 0 if the body sets no limit. They come from the body, not from the route: a builder's own limit
        wins, and nothing may cost more than the estimate says.
        """
        try:
            head = self._decode(body)
        except (ValueError, RecursionError):
            fault = self._found(body)
            return fault, 0 if fault is not None else _lengths(body).most()
        return self._found(body) if head.stream or head.model != self._model else None, head.most()

    def _found(self, body: bytes) -> Fault | None:
        read = read_json_line(body)
        if isinstance(read, Failure):
            return Fault("build", f"The prompt built a request that is not valid. {read.message}")
        for fault in body_faults(read, self._endpoint):
            return fault
        model = read["model"]
        return None if model == self._model else not_of_route(model, self._model)


# --- lines beside each other ---------------------------------------------------------------------------------------


def mismatched_model(model: str, usual: str) -> Fault:
    """Another model than that of the other lines: a batch has one model."""
    return Fault(
        "mismatched_model",
        f"The request is for the model {shown(model)}, the others are for {shown(usual)}, and a batch holds one. Put "
        "it into a file, or a folder, of its own model.",
        "body.model",
    )


def not_of_route(model: Json, expected: Json) -> Fault:
    """Another model than the route's: a job is sent to the model of its route, and priced for it."""
    return Fault(
        "mismatched_model",
        f"The request is for the model {shown(model)}, but files in this folder are for {shown(expected)}. Drop it "
        "into the folder for its model, or name no model in it.",
        "body.model",
    )


def mismatched_url(url: str, usual: str) -> Fault:
    """Another endpoint than that of the other lines: a batch has one endpoint."""
    return Fault(
        "invalid_url",
        f"url is {shown(url)}, the others have {shown(usual)}, and a batch holds one endpoint. Put it into a file of "
        "its own.",
        "url",
    )


def duplicate_fault(name: str, first: str, *, same: bool | None = None, field: str = "custom_id") -> Fault:
    """A name that `first` has already. `same` says whether both requests are the same, None if that is not known."""
    fix = {
        None: "Write one that no other line has.",
        True: "Both lines are the same: remove one of them.",
        False: "The two requests differ: write another custom_id in this line.",
    }[same]
    code = "duplicate_custom_id" if field == "custom_id" else "duplicate"
    return Fault(code, f"{field} {shown(name)} was used before, in {first}. {fix}", field)


def too_long(size: int, most: int, *, picture: bool = False) -> Fault:
    """A line that has too many bytes; with `picture`, most of them may be a picture."""
    message = f"The request is {size:,} bytes long, and at most {most:,} are allowed. Shorten it."
    if picture:
        message = (
            f"The request is {size:,} bytes long with its picture, which is a third longer in it, and at most {most:,} "
            "are allowed. Save the picture smaller, and drop the failed rows again."
        )
    return Fault("too_long", message)


# --- the file as a whole -------------------------------------------------------------------------------------------

EMPTY = Fault("empty_file", "The file holds no request. Write one on each line.")


def no_text(what: str) -> Fault:
    """The file is not UTF-8 text, and no line of it can be read."""
    return Fault("not_utf8", f"The file is {what}, and must be UTF-8. Save it as UTF-8 text.")


def too_many(requests: int, most: int) -> Fault:
    """More requests than a batch may hold."""
    message = f"The file holds {requests:,} requests, and a batch at most {most:,}. Split it."
    return Fault("too_many_tasks", message)


def too_large(size: int, most: int) -> Fault:
    """More bytes than a batch's file may have."""
    return Fault("file_too_large", f"The file has {size:,} bytes, and at most {most:,} are allowed. Split it.")


def shown(value: Json) -> str:
    """A value as a message shows it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"“{value if len(value) <= 100 else f'{value[:100]}…'}”"
    if isinstance(value, Sequence | Mapping):
        kind = "a list" if isinstance(value, Sequence) else "an object"
        return kind if value else f"an empty {kind.rpartition(' ')[2]}"
    return str(value)[:100]
