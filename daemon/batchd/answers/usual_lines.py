"""A fast decoder for the usual output line, a chat answer as OpenAI writes it: it builds only the fields in use.

`meaning` decodes all other lines in the general way, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from ..model import Json, Response, Usage

_Tokens = Annotated[int, msgspec.Meta(ge=0)]
_Some = Annotated[int, msgspec.Meta(gt=0)]


class _Message(msgspec.Struct):
    content: str
    refusal: None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: _Tokens | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Some
    completion_tokens: _Some
    prompt_tokens_details: _Details | None = None
    input_tokens_details: None = None


class _Body(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Usage


class _Response(msgspec.Struct):
    body: _Body
    status_code: Literal[200]


class _Line(msgspec.Struct):
    response: _Response


_decode = msgspec.json.Decoder(_Line).decode


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
        """See Response."""
        return msgspec.json.decode(self._line)["response"]["body"]  # type: ignore[no-any-return]

    @property
    def text(self) -> str | None:
        """See Response."""
        return self._body.choices[0].message.content

    @property
    def refusal(self) -> str | None:
        """See Response."""
        return None

    @property
    def finish_reason(self) -> str | None:
        """See Response."""
        return self._body.choices[0].finish_reason

    @property
    def usage(self) -> Usage | None:
        """See Response."""
        usage = self._body.usage
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens or 0) if details is not None else 0
        return Usage(usage.prompt_tokens, cached, usage.completion_tokens)


def usual_response(line: bytes) -> Response | None:
    """The answer of a line, None if the line is not of the usual kind."""
    try:
        if not line.isascii():
            line.decode()  # the decoder does not check what it skips
        return UsualResponse(line, _decode(line).response.body)
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are subclasses of ValueError
        return None
