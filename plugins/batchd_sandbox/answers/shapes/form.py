"""What a shape is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Record = dict[str, Any]
Change = Callable[[Record, Record], None]
"""Rewrites an output line, which is given with the body in it."""
Count = Callable[[int, int], tuple[Any, tuple[int, int, int]]]
"""From input and output tokens: the `usage` that is written (`...` for none), and the input, cached and output tokens
that are billed."""
Asks = Literal["text", "json", "tools"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which services write an answer: its name, where it was seen, and what is done to the line.

    `asks` tells which kind of request it answers: for a text, for JSON by a schema, or with tools. A `free` one is an
    error, billed at nothing.
    """

    name: str
    seen: str
    summary: str
    change: Change | None = None
    count: Count | None = None
    asks: Asks = "text"
    free: bool = False


def message_of(body: Record) -> Record:
    """The message in a chat completion."""
    message: Record = body["choices"][0]["message"]
    return message


def text_of(body: Record) -> str:
    """Its text."""
    text: str = message_of(body)["content"]
    return text


def content(write: Callable[[str], Any]) -> Change:
    """A change of the content alone, from its text."""

    def change(record: Record, body: Record) -> None:
        message_of(body)["content"] = write(text_of(body))

    return change


def whole(write: Callable[[Record], Any]) -> Change:
    """A change of the whole body."""

    def change(record: Record, body: Record) -> None:
        record["response"]["body"] = write(body)

    return change


def of_text(name: str, seen: str, summary: str, write: Callable[[str], Any]) -> Shape:
    """A shape of the content."""
    return Shape(name, seen, summary, content(write))


def of_body(name: str, seen: str, summary: str, write: Callable[[Record], Any]) -> Shape:
    """A shape of the body."""
    return Shape(name, seen, summary, whole(write))
