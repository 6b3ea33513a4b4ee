"""A fast decoder for the usual output line, a chat answer as OpenAI writes it: it builds only the fields in use.

`meaning` decodes all other lines in the general way, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Generic, Literal, TypeVar

import msgspec

from ..bodies.finishing import ending_of
from ..bodies.usage import BilledTokens, count_tokens
from ..model import Failure, Json, Response, ended
from ..values import replace

BodyT = TypeVar("BodyT")


class _Response(msgspec.Struct, Generic[BodyT], gc=False):
    body: BodyT
    status_code: Literal[200]


class SuccessLine(msgspec.Struct, Generic[BodyT], gc=False):
    """The frame around the body of an answer."""

    response: _Response[BodyT]


class _Message(msgspec.Struct, gc=False):
    content: str
    refusal: None = None
    tool_calls: Annotated[list[Json], msgspec.Meta(max_length=0)] | None = None
    function_call: None = None


class TextChoice(msgspec.Struct, gc=False):
    """A choice whose answer is plain text. A line with any other choice is not decoded here."""

    message: _Message
    finish_reason: str | None = None
    finishReason: None = None  # noqa: N815  # the name that some services write
    done_reason: None = None
    error: None = None


class _Body(msgspec.Struct):
    choices: Annotated[list[TextChoice], msgspec.Meta(min_length=1)]
    usage: dict[str, Json]
    error: None = None


_decode = msgspec.json.Decoder(SuccessLine[_Body]).decode


class UsualResponse(Response):
    """A Response with the usual fields decoded. `body` decodes the whole line, each time it is read."""

    __slots__ = ("_body", "_line")
    _body: _Body
    _line: bytes

    def __init__(self, line: bytes, body: _Body) -> None:
        put = object.__setattr__
        put(self, "_line", line)
        put(self, "_body", body)
        put(self, "status_code", 200)

    def __reduce__(self) -> tuple[type[Response], tuple[Mapping[str, Json], int]]:
        return Response, (self.body, self.status_code)  # a copy is a plain Response

    @property
    def body(self) -> Mapping[str, Json]:
        return msgspec.json.decode(self._line)["response"]["body"]  # type: ignore[no-any-return]

    @property
    def text(self) -> str | None:
        return self._body.choices[0].message.content

    @property
    def tool_arguments(self) -> Sequence[Json]:
        return ()

    @property
    def refusal(self) -> str | None:
        return None

    @property
    def finish_reason(self) -> str | None:
        return self._body.choices[0].finish_reason

    @property
    def counted(self) -> BilledTokens:
        counted = count_tokens(self._body.usage)
        return counted if counted.output_tokens or not self.text else replace(counted, output_tokens=None)

    @property
    def failure(self) -> Failure | None:
        word = self._body.choices[0].finish_reason
        if word is None or word == "stop":
            return None
        return ended(ending_of(word), word, None, self.text)


def usual_response(line: bytes) -> Response | None:
    """The answer of a line, None if the line is not of the usual kind."""
    try:
        if not line.isascii():
            line.decode()  # the decoder does not check what it skips
        body = _decode(line).response.body
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are subclasses of ValueError
        return None
    # If the finish reason is not in its usual place, it may be elsewhere.
    return None if body.choices[0].finish_reason is None else UsualResponse(line, body)
