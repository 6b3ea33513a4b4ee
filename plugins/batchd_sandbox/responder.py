"""The answers. Rules over words, no model: the same question gets the same answer, always.

- asked for labels, such as `SENTIMENT|PUNCTUALITY|QUALITY`: words from word lists, in that order;
- asked for a JSON schema: an object that fits it;
- else: a sentence that repeats the first words of what was asked.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

from .schemas import fill
from .words import LABELS, PAIR_SET, PAIRS, SYNONYMS, WORD_SET, WORDS

_WORD = re.compile(r"\w+")
_LABELS_ASKED = re.compile(r"[\w-]+(?: *\| *[\w-]+(?: [A-Z][A-Z_-]+)*)+")
_FIRST_WORDS = 12


class Message(msgspec.Struct):
    """One message of a conversation; content may be parts, as for pictures."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The words of it, whichever way they are sent."""
        if type(self.content) is str:
            return self.content
        parts = self.content or ()
        return " ".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def tokens_in(text: str) -> int:
    """How many tokens a text is taken for: a quarter of its UTF-8 bytes. No tokenizer is that wrong for long."""
    return (len(text if text.isascii() else text.encode("utf-8", "surrogatepass")) + 3) // 4


def respond(messages: list[Message], schema: dict[str, Any] | None = None, *, json_object: bool = False) -> str:
    """The answer's text."""
    instruction = ""
    question = ""
    for message in messages:
        if message.role == "user":
            question = f"{question}\n{message.text}" if question else message.text
        elif message.role in ("system", "developer"):
            instruction = f"{instruction}\n{message.text}" if instruction else message.text
    if schema is not None:
        filled = fill(schema, lambda name, choices: _chosen(name, choices, question), _sentence(question))
        return msgspec.json.encode(filled).decode()
    if json_object:
        return msgspec.json.encode({"answer": _sentence(question)}).decode()
    labels = labels_asked(instruction) or (labels_asked(question) if "|" in question else ())
    if labels:
        scores = score(question)
        return "|".join([label_for(name, scores) for name in labels])
    return _sentence(question)


@lru_cache(maxsize=256)
def labels_asked(instruction: str) -> tuple[str, ...]:
    """The labels that a prompt asks for, as it names them: `("SENTIMENT", "QUALITY")`. Empty if none."""
    for match in _LABELS_ASKED.finditer(instruction):
        names = tuple(one.strip() for one in match[0].split("|"))
        if all(name.isupper() for name in names) or any(_label(name) in LABELS for name in names):
            return names
    return ()


def score(text: str) -> list[int]:
    """What the words of a text add up to, on each scale of `words`."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    found = _WORD.findall(text.lower())
    scores = [0, 0, 0, 0, 0, 0]
    for word in WORD_SET.intersection(found):
        for scale, points in WORDS[word]:
            scores[scale] += points
    for pair in PAIR_SET.intersection(pairwise(found)):
        for scale, points in PAIRS[pair]:
            scores[scale] += points
    return scores


def label_for(name: str, scores: list[int]) -> str:
    """The word for a label, from the scores of what was asked about."""
    known = LABELS.get(_label(name))
    if known is None:
        return "not mentioned"
    scale, above, between, below = known
    points = scores[scale]
    return above if points > 0 else below if points < 0 else between


@lru_cache(maxsize=256)
def _label(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return SYNONYMS.get(plain, plain)


def _chosen(name: str, choices: list[Any] | None, question: str) -> Any:
    """For a property of a schema: the label of its name, if it is one; else None."""
    if _label(name) not in LABELS:
        return None
    label = label_for(name, score(question))
    if choices is None:
        return label
    return next((one for one in choices if str(one).lower().replace("_", "-") == label), None)


def _sentence(question: str) -> str:
    words = question.split()
    if not words:
        return "There was no question."
    more = "…" if len(words) > _FIRST_WORDS else ""
    return f"You wrote: {' '.join(words[:_FIRST_WORDS])}{more}"
