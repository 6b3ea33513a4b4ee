"""Answers that came with a success and are of no use: if those to the first rows all are, a person is asked.

Short answers, equal answers, and answers that the question itself offers are right for many files, and never count as
useless. So an answer is judged by what it is (an error, a page, a refusal, the question), not by being like others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from ..bodies.content import choice_of
from ..model import Json, Response, quoted
from ..values import replace
from .whose_fault import Blame, ServiceRefusal, fault_of

if TYPE_CHECKING:
    from ..answers.meaning import Reading

FIRST = 20
"""If so many answers, all that came first, are of no use, that is not chance."""


class Kind(Enum):
    """What an answer of no use is, in words for people."""

    EMPTY = "empty"
    CUT = "cut off before its end"
    ERROR = "an error"
    PAGE = "the same HTML page"
    REFUSAL = "a refusal"
    NOTICE = "the same message"
    ECHO = "the question itself"


class Came(Struct, frozen=True):
    """The answer to a row: its text, None for an answer in another form; or why there is none."""

    text: str | None = None
    code: str = ""
    message: str = ""
    refusal: ServiceRefusal | None = None

    @classmethod
    def of(cls, reading: Reading) -> Came:
        """Return the answer in a line."""
        outcome = reading.outcome
        text = outcome.answer if isinstance(outcome, Response) else None
        if text is None and isinstance(outcome, Response) and choice_of(outcome.body) and not outcome.tool_arguments:
            text = ""
        failure = reading.failure
        if failure is None:
            return cls(text)
        refusal = None
        if reading.refused:
            refusal = ServiceRefusal(failure.code, failure.message, reading.status, reading.param)
        return cls(text, failure.code, failure.message, refusal)


class Suspicion(Struct, frozen=True):
    """An answer that may be of no use. `mark` must be the same in all, or alike in echoes; `shown` is for people.

    `offered` if the question may ask for such an answer.
    """

    kind: Kind
    mark: str
    shown: str
    offered: bool = False


class Useless(Struct, frozen=True):
    """What all of the first answers are, in words, and one of them as an example, if it has text."""

    answers: int
    what: str
    example: str


_CODES = {
    "empty_answer": Kind.EMPTY,
    "no_text": Kind.EMPTY,
    "unreadable_answer": Kind.EMPTY,
    "length": Kind.CUT,
    "refusal": Kind.REFUSAL,
    "content_filter": Kind.REFUSAL,
}
_SAME = frozenset({Kind.PAGE, Kind.NOTICE})
"""These are of no use only if all rows get the same answer."""
_MAX_NOTICE = 400
_PAGE = re.compile(r"\s*(<!doctype html|<html[\s>])", re.IGNORECASE)
_REFUSES = re.compile(
    r"^\W*(?:(?:i['’]?m|i am|we['’]?re|we are|my|oh)?\W*(?:\w+\s+)?(?:sorry|apolog\w+|unfortunately)\b.{0,60}?|i |we )"
    r"(?:can['’]?t|can ?not|(?:am |are )?(?:unable|not able) to|won['’]t be able to)\s+(?:\w+\s+)?"
    r"(?:assist|help|comply|fulfil|do that)"
    r"|^\W*as an ai\b.{0,60}(?:can|unable|not)"
    r"|^\W*(?:很|非常)?抱歉.{0,12}(?:无法|不能)|^\W*对不起.{0,12}(?:无法|不能)"
    r"|^\W*(?:rất )?xin lỗi.{0,20}không thể|^\W*es tut mir leid.{0,60}nicht (?:helfen|weiterhelfen)"
    r"|^\W*(?:je suis )?désolé.{0,40}ne peux pas|^\W*lo siento.{0,40}no puedo",
    re.IGNORECASE | re.DOTALL,
)
_NOTICE = re.compile(
    r"rate.?limit|too many requests|quota|insufficient.{0,12}(?:balance|credit|fund)|out of credit|overloaded|"
    r"temporarily unavailable|service (?:is )?(?:currently )?(?:unavailable|busy)|"
    r"under maintenance|internal .{0,8}error|"
    r"(?:invalid|incorrect|missing) api.?key|unauthori[sz]ed|upgrade (?:your|to)|try again later|(?:log|sign) ?in to|"
    r"model.{0,60}(?:not found|not available|not supported|deprecated|does not exist)|access denied|"
    r"how (?:can|may) i (?:help|assist) you|余额不足|额度|请稍后|繁忙|有什么可以帮",
    re.IGNORECASE,
)
_ERROR_KEYS = frozenset(
    {"error", "errors", "code", "message", "msg", "status", "status_code", "type", "detail", "details", "param"}
    | {"request_id", "requestid", "success", "timestamp", "path", "event_id"}
)
_VARIABLE = re.compile(r"\b[a-z]*[-_]?[0-9][\w-]*")


class _Message(msgspec.Struct):
    role: str = ""
    content: Json = None


class _Question(msgspec.Struct):
    """What a request asks, in the forms of the endpoints for text."""

    messages: list[_Message] = []
    input: Json = None
    prompt: Json = None
    instructions: Json = None


_decode = msgspec.json.Decoder(_Question).decode


def suspect(came: Came, body: bytes) -> Suspicion | None:
    """Return why an answer to this request may be of no use; None if it looks normal."""
    if came.refusal is not None:
        refusal = came.refusal
        # A refusal that passes is asked again. One with the status of an error is handled by that status.
        if refusal.status is None or not 200 <= refusal.status < 300 or _passes(refusal):
            return None
        return Suspicion(Kind.ERROR, "", refusal.message)
    if came.code:
        kind = _CODES.get(came.code)
        return None if kind is None else Suspicion(kind, "", came.text or came.message)
    if came.text is None:
        return None
    text = came.text.strip()
    if not text:
        return Suspicion(Kind.EMPTY, "", "")
    return _of_text(text, body)


def _passes(refusal: ServiceRefusal) -> bool:
    """Whether the refusal passes, by its words and its code, which may be a status: its own status is a success."""
    status = int(refusal.code) if re.fullmatch("[1-5][0-9]{2}", refusal.code) else None
    return fault_of(replace(refusal, status=status)) is Blame.PASSING


def _of_text(text: str, body: bytes) -> Suspicion | None:
    try:
        question = _decode(body)
    except (ValueError, RecursionError):
        return None
    instructions, asked = _texts(question)
    whole = f"{instructions}\n{asked}".lower()
    if _PAGE.match(text):
        return Suspicion(Kind.PAGE, _signature(text[:4_000]), text, offered="html" in whole)
    if text[0] == "{" and (error := _error_in(text)) is not None:
        return Suspicion(Kind.ERROR, "", text, offered=error in whole)
    if len(text) <= _MAX_NOTICE:
        offered = text.strip(" .!\"'`").lower() in whole
        if _REFUSES.search(text):
            return Suspicion(Kind.REFUSAL, "", text, offered)
        # A word or two may be a label.
        if _NOTICE.search(text) and (len(text.split()) > 3 or (not text.isascii() and len(text) > 7)):
            return Suspicion(Kind.NOTICE, _signature(text), text, offered)
    plain = " ".join(text.split())
    if len(instructions) >= 40 and instructions in plain:
        return Suspicion(Kind.ECHO, "", text)
    if asked and plain == asked:
        return Suspicion(Kind.ECHO, asked, text)
    return None


def judge(suspicions: Sequence[Suspicion]) -> Useless | None:
    """Return what the first answers are if each is of no use; None if they may be what the rows should get."""
    if len(suspicions) < FIRST or all(each.offered for each in suspicions):
        return None
    kinds = Counter(each.kind for each in suspicions)
    for kind in _SAME & kinds.keys():
        if len({each.mark for each in suspicions if each.kind is kind}) > 1:
            return None
    echoes = [each.mark for each in suspicions if each.kind is Kind.ECHO]
    if echoes and all(echoes) and not _have_words_around(echoes):
        return None
    kind = kinds.most_common(1)[0][0]
    example = next(each.shown for each in suspicions if each.kind is kind)
    example = " ".join(example.split())
    return Useless(len(suspicions), kind.value, quoted(example) if example else "")


def _have_words_around(asked: Sequence[str]) -> bool:
    """Whether the questions have words of the prompt around what the rows hold.

    If the question is only the row, it may also be its answer: a text with nothing to correct.
    """
    if len(set(asked)) == 1:
        return False
    before, after = _beginning(asked), _beginning([each[::-1] for each in asked])
    return len(before) >= 25 or len(after) >= 25 or re.search(r"[^\W\d]{2}.*[:：]", before) is not None


def _beginning(texts: Sequence[str]) -> str:
    """Return the beginning that all texts have in common."""
    low, high = min(texts), max(texts)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return "".join(letter for letter, _ in same)


def _error_in(text: str) -> str | None:
    """Return the key that makes a JSON text an error; None if it is not one."""
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not {str(key).lower() for key in value} <= _ERROR_KEYS:
        return None
    if isinstance(error := value.get("error") or value.get("errors"), dict | list) or (
        isinstance(error, str) and len(value) > 1
    ):
        return "error"
    said = value.get("message") or value.get("msg") or value.get("detail")
    return "code" if value.get("code") not in {None, 0, 200, "0", "200"} and isinstance(said, str) else None


def _signature(text: str) -> str:
    return _VARIABLE.sub("#", " ".join(text.split()).lower())


def _texts(question: _Question) -> tuple[str, str]:
    """The instructions and the last question, with single spaces."""
    system = [_text(each.content) for each in question.messages if each.role in {"system", "developer"}]
    system.append(_text(question.instructions))
    asked = next((_text(each.content) for each in reversed(question.messages) if each.role == "user"), "")
    return " ".join(" ".join(system).split()), " ".join((asked or _text(question.input or question.prompt)).split())


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(each) for each in content)
    if isinstance(content, dict):
        return _text(content.get("text", content.get("content")))
    return ""
