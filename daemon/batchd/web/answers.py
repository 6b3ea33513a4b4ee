"""Answers: JSON for programs, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # A browser uses the last value that it knows. With no-referrer alone it would hide the origin of our own forms.
    "Referrer-Policy": "no-referrer, same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""The headers of every answer."""


class Refused(Exception):
    """A request that is not carried out: the HTTP status, and a sentence. `headers` go with the answer."""

    def __init__(self, status: int, sentence: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}


def as_json(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON for programs. Half of a surrogate pair, as in a name that is not UTF-8, becomes a question mark."""
    return web.Response(
        body=msgspec.json.encode(_valid(value)), status=status, content_type="application/json", headers=headers
    )


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_valid(key): _valid(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(each) for each in value]
    return value


def number_in(query: Mapping[str, str], name: str, otherwise: int, *, most: int) -> int:
    """Read a whole number from the query. Raise Refused if it is none, or more than `most`."""
    text = query.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
        raise Refused(400, f"“{name}” must be a whole number up to {most:,}.")
    return int(text)
