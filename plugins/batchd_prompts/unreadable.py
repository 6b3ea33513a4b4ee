"""The failure of an answer in the wrong form."""

from __future__ import annotations

from batchd import Failure

_QUOTED = 200
"""How many characters of an answer a message quotes."""


def unparsable(what: str, text: str, *, transient: bool = True) -> Failure:
    """The failure for an answer in the wrong form. The model is told what is wrong with it, and asked again."""
    message = f"The answer could not be read: {what}: {quoted(text)}."
    return Failure("unparsable", message, transient=transient, correction=what)


def quoted(text: str) -> str:
    """The beginning of a text, as a message quotes it."""
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")
