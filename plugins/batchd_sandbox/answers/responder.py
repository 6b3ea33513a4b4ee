"""Writes answers by rules over word lists, without a model. The same question always gets the same answer.

- a prompt for labels, such as `SENTIMENT|PUNCTUALITY|QUALITY`: a word for each label, in that order;
- a request with a JSON schema: an object that fits it;
- a prompt for one word of several, such as `Answer with one word: good, bad or mixed.`: one of them;
- otherwise: a sentence that repeats the first words of the question.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

from .lexicon import LABELS, PAIR_SET, PAIRS, SYNONYMS, WORD_SET, WORDS
from .schemas import fill

_WORD = re.compile(r"\w+")
_LABEL_LIST = re.compile(r"[\w-]+(?: *\| *[\w-]+(?: [A-Z][A-Z_-]+)*)+")
_ONE_WORD = re.compile(r"\b(?:one word|một từ)\b[^:\n]*: *([^:\n]{3,200}?)[.!]? *$", re.IGNORECASE | re.MULTILINE)
_OR = re.compile(r" *, *(?:or +|hoặc +)?| +(?:or|hoặc|hay) +")
_FIRST_WORDS = 12
_CORRECTION = "Your answer cannot be used"
"""How batchd's correction of an answer begins. Such a message is not a question."""


class Message(msgspec.Struct):
    """One message of a conversation. The content may be a list of parts, for example with pictures."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The text of the content; the texts of a list of parts are joined."""
        if type(self.content) is str:
            return self.content
        parts = self.content or ()
        return " ".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def tokens_in(text: str) -> int:
    """An estimate of a text's tokens: a quarter of its UTF-8 bytes."""
    return (len(text if text.isascii() else text.encode("utf-8", "surrogatepass")) + 3) // 4


def respond(messages: list[Message], schema: dict[str, Any] | None = None, *, json_object: bool = False) -> str:
    """The text of the answer."""
    instruction = ""
    question = answered = ""
    for message in messages:
        if message.role == "user" and not message.text.startswith(_CORRECTION):
            question = f"{question}\n{message.text}" if question else message.text
        elif message.role == "assistant":
            answered, question = question, ""  # of an example, or of an answer that is corrected
        elif message.role in ("system", "developer"):
            instruction = f"{instruction}\n{message.text}" if instruction else message.text
    question = question or answered
    if schema is not None:
        filled = fill(schema, lambda name, choices: _chosen(name, choices, question), _sentence(question))
        return msgspec.json.encode(filled).decode()
    if json_object:
        return msgspec.json.encode({"answer": _sentence(question)}).decode()
    labels = requested_labels(instruction) or (requested_labels(question) if "|" in question else ())
    if labels:
        scores = score(question)
        return "|".join([label_for(name, scores) for name in labels])
    words = requested_words(instruction)
    if words:
        return _one_of(words, score(question))
    return _sentence(question)


@lru_cache(maxsize=256)
def requested_labels(instruction: str) -> tuple[str, ...]:
    """The labels that a prompt asks for, as written there: `("SENTIMENT", "QUALITY")`. Empty if there are none."""
    for match in _LABEL_LIST.finditer(instruction):
        names = tuple(one.strip() for one in match[0].split("|"))
        if all(name.isupper() for name in names) or any(_label(name) in LABELS for name in names):
            return names
    return ()


@lru_cache(maxsize=256)
def requested_words(instruction: str) -> tuple[str, ...]:
    """Return the words of which a prompt wants one: the first praises, the second blames, the last is for all else.

    Empty if the prompt names no words.

    >>> requested_words("Answer with one word: positive, negative or mixed.")
    ('positive', 'negative', 'mixed')
    """
    match = _ONE_WORD.search(instruction)
    words = tuple(_OR.split(match[1].strip())) if match is not None else ()
    return words if 2 <= len(words) <= 8 and all(0 < len(word) <= 30 for word in words) else ()


def _one_of(words: tuple[str, ...], scores: list[int]) -> str:
    praised, blamed = any(each > 0 for each in scores), any(each < 0 for each in scores)
    return words[0] if praised and not blamed else words[1] if blamed and not praised else words[-1]


def score(text: str) -> list[int]:
    """Return the total score of a text's words on each scale of `lexicon`."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    words = _WORD.findall(text.lower())
    scores = [0, 0, 0, 0, 0, 0]
    for word in WORD_SET.intersection(words):
        for scale, points in WORDS[word]:
            scores[scale] += points
    for pair in PAIR_SET.intersection(pairwise(words)):
        for scale, points in PAIRS[pair]:
            scores[scale] += points
    return scores


def label_for(name: str, scores: list[int]) -> str:
    """The word for a label, from the scores of a text."""
    label = LABELS.get(_label(name))
    if label is None:
        return "not mentioned"
    scale, positive, zero, negative = label
    points = scores[scale]
    return positive if points > 0 else negative if points < 0 else zero


@lru_cache(maxsize=256)
def _label(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return SYNONYMS.get(plain, plain)


def _chosen(name: str, choices: list[Any] | None, question: str) -> Any:
    """The value of a schema's property if its name is a label, else None."""
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
