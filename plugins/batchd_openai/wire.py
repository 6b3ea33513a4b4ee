"""The service as messages name it, and its error body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from batchd import CallKind, HttpAnswer, HttpCall, HttpService, Json, Problem, TransientError, covered, read_problems

_VERSIONED = re.compile(r"/v\d+(beta\d*)?/?$")
# Matches only from the beginning of a word: tried from each letter, a word of 100,000 letters would take minutes.
_STARRED = re.compile(r"(?<![\w-])[\w-]*\*{3,}[\w*-]*")

UNREADABLE: tuple[type[Exception], ...] = (ValueError, RecursionError)
"""What the decoder raises for text that is not JSON, numbers of thousands of digits, or too many open brackets."""


class Service(HttpService):
    """The service, for messages, which may contain no secret."""

    passing = HttpService.passing | {498}  # Groq's status for too many calls

    @property
    def to_check(self) -> str:
        """What to check. Where base_url ends in a version already, there is no hint about /v1."""
        return "base_url" if _VERSIONED.search(self.base_url) else "base_url (most end in /v1)"

    def may(self, call: HttpCall) -> str:
        """What the key must be allowed to do: use the model for a row, else files and batches."""
        return "use the model" if call.kind is CallKind.ANSWER else "use files and batches"

    def masked(self, text: str) -> str:
        """The text without our secrets, also where the service quotes them with asterisks."""
        return _STARRED.sub("…", covered(text))

    def broken(self, how: str, call: HttpCall) -> TransientError:
        """The error for a connection that was lost, with where to look."""
        lost = super().broken(how, call)
        return TransientError(f"{lost} If this continues, look at the server and at any proxy in between.")

    def decoded(self, content: bytes) -> Json:
        """Decode JSON and remove our secrets, before any text is shortened. Raises `UNREADABLE` if it is not JSON."""
        try:
            value = msgspec.json.decode(content)
        except msgspec.DecodeError:
            value = msgspec.json.decode(content.decode("utf-8", "replace"))
        return covered(value)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """A service's error body, masked: a sentence, its codes, the whole body in lower case."""

    text: str
    codes: frozenset[str]
    whole: str
    problems: tuple[Problem, ...]

    @classmethod
    def read(cls, answer: HttpAnswer, service: Service) -> ErrorBody:
        """Read it from an answer in any form."""
        content = answer.body
        raw = " ".join(service.masked(content.decode("utf-8", "replace")).split())
        try:
            body = service.decoded(content)
        except UNREADABLE:
            body = None
        inner = (body.get("error") or body) if isinstance(body, Mapping) else body
        if isinstance(inner, Mapping):
            unmasked = read_problems(inner.get("errors") or inner)
            codes = frozenset(str(inner[key]).lower() for key in ("code", "type", "status") if key in inner)
        else:
            unmasked, codes = read_problems(inner), frozenset()
        unnamed = f"http_{answer.status}"
        problems = tuple(
            replace(each, code=unnamed if each.code == "error" else each.code, message=service.masked(each.message))
            for each in unmasked
        )
        text = "an HTML page" if answer.is_page else problems[0].message if problems else raw or "no reason given"
        text = service.sentence(text)
        return cls(text, codes, raw.lower(), problems or (Problem(unnamed, text),))
