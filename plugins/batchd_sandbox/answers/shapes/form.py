"""What a shape is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Record = dict[str, Any]
Change = Callable[[Record, Record], None]
"""Changes an output line in place. The arguments are the line's record and the body in it."""
Count = Callable[[int, int], tuple[Any, tuple[int, int, int]]]
"""Turns input and output tokens into the `usage` that is written (`...` for none) and the input, cached and output
tokens that are billed."""
Asks = Literal["text", "json", "tools"]


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which services write an answer: its name, where it was seen, and what is done to the line.

    `asks` tells which kind of request it answers: for a text, for JSON by a schema, or with tools. A `free` shape is an
    error, which is not billed.
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
    """The text of the message in a chat completion."""
    text: str = message_of(body)["content"]
    return text


def content(write: Callable[[str], Any]) -> Change:
    """A change that replaces the content by what `write` makes of its text."""

    def change(record: Record, body: Record) -> None:
        message_of(body)["content"] = write(text_of(body))

    return change


def whole(write: Callable[[Record], Any]) -> Change:
    """A change that replaces the body by what `write` makes of it."""

    def change(record: Record, body: Record) -> None:
        record["response"]["body"] = write(body)

    return change


def of_text(name: str, seen: str, summary: str, write: Callable[[str], Any]) -> Shape:
    """A shape that changes only the content."""
    return Shape(name, seen, summary, content(write))


def of_body(name: str, seen: str, summary: str, write: Callable[[Record], Any]) -> Shape:
    """A shape that changes the body."""
    return Shape(name, seen, summary, whole(write))
