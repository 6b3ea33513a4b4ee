"""The limit that a refusal names: so many requests, bytes or enqueued tokens at a time."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct


class LimitKind(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    BYTES = "bytes"
    TOKENS = "tokens"


class NamedLimit(Struct, frozen=True):
    """A limit that was exceeded. `most` is None where the service did not say how much it takes."""

    kind: LimitKind
    most: int | None = None


_ON = r"(?:[^.;]|\.(?=\d))"
"""A character of the same sentence: the dot of "5.000" does not end it."""
_TOKEN_CODES = frozenset({"token_limit_exceeded", "too_many_tokens", "enqueued_token_limit_exceeded"})
_TOKEN_WORDS = re.compile(
    r"enqueued tokens?|\bqueued? (prompt |input )?tokens?|\btokens? (are |is |may be |can be |already )*(en)?queued|"
    rf"\bqueue limit\b{_ON}*\btokens?|排队[^。]{{0,10}}token",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(
    r"\b(in[- ]progress|concurrent|active|running|pending|too many) batch(es| jobs?| limit)?\b|"
    r"\bbatch(es| jobs?) (in progress|running|at once|at a time|in the queue)|批(处理|量)?任务数",
    re.IGNORECASE,
)
"""A limit of batches under way counts as one of tokens: both pass when the batches at the service have ended."""
_REQUEST_CODES = frozenset({"too_many_tasks", "too_many_lines", "too_many_rows", "request_limit_exceeded"})
_BYTE_CODES = frozenset({"file_too_large", "http_413", "payload_too_large", "request_too_large", "content_too_large"})
_RATES = re.compile(r"per (minute|second|hour|day)|\brate limit|\b[rt]p[dms]\b", re.IGNORECASE)

_UNIT = r"(?:requests?|lines?|rows?|tasks?|records?|entries|items|条|行|个请求)"
_MANY = re.compile(
    rf"(?:too many|more than|exceed\w*|at most|maximum|limit|max\.?|up to|超过|最多|上限){_ON}{{0,60}}{_UNIT}|"
    rf"{_UNIT}[^.]{{0,60}}(?:too many|more than|exceed\w*|at most|maximum|limit|max\b|超过|最多|上限)",
    re.IGNORECASE,
)
_LARGE = re.compile(
    r"larger than|too (?:large|big)|file size|size limit|maximum size|max(?:imum)? (?:allowed )?(?:file )?size|"
    rf"exceeds?{_ON}{{0,40}}\b(?:bytes|[kmg]i?b)\b|文件(?:过大|大小)|"
    rf"\bfiles?\b{_ON}{{0,40}}\b(?:under|below|within|up to|at most|smaller than|less than)"
    rf"{_ON}{{0,20}}\b(?:bytes|[kmg]i?b)\b",
    re.IGNORECASE,
)
_NUMBER = r"(?<![A-Za-z0-9_-])(\d[\d.,_]*)\s*([KkMmGg]i?(?:[Bb](?:ytes?)?)?\b|bytes\b)?"
_AFTER = re.compile(
    r"(?:limit|maximum|max\.?|at most|up to|no more than|not exceed|(?:larg|small)er than|less than|under|below|"
    rf"超过|最多|上限)\D{{0,40}}?{_NUMBER}",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"{_NUMBER}\s*(?:{_UNIT})?\s*(?:at most|maximum|max\b|limit|or (?:less|fewer)|allowed)", re.IGNORECASE
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
_TOKENS = re.compile(r"[Ll]imit(?:\s+of|:)?\s*(\d[\d.,]*)\s*([KkMm])?\b")
_SO_MANY_TOKENS = re.compile(r"(?:exceed\w*:?|more than|at most|maximum of)\s+(\d[\d.,]*)\s*([KkMm])?\b", re.IGNORECASE)


def named_limit(code: str, message: str) -> NamedLimit | None:
    """The limit that this refusal is about; None if it is about none."""
    code = code.lower()
    if code in _TOKEN_CODES or _TOKEN_WORDS.search(message):
        match = _TOKENS.search(message) or _SO_MANY_TOKENS.search(message)
        return NamedLimit(LimitKind.TOKENS, None if match is None else _number(match))
    if _RATES.search(message):
        return None
    if code == "too_many_batches" or _AT_ONCE.search(message):
        return NamedLimit(LimitKind.TOKENS)
    if code in _REQUEST_CODES:
        return NamedLimit(LimitKind.REQUESTS, _named(message))
    if code in _BYTE_CODES or _LARGE.search(message):
        return NamedLimit(LimitKind.BYTES, _named(message))
    if _MANY.search(message) and (most := _named(message)) is not None:
        return NamedLimit(LimitKind.REQUESTS, most)
    return None


def _named(message: str) -> int | None:
    # Where both "10,000 lines" and "limit of 5,000" are said, the limit is the smaller one.
    found = [_number(match) for pattern in (_AFTER, _BEFORE) for match in pattern.finditer(message)]
    return min((each for each in found if each), default=None)


def _number(match: re.Match[str]) -> int | None:
    text = match[1].rstrip(".,_").replace(",", "").replace("_", "")
    unit = (match[2] or "").lower()
    power = {"k": 1, "m": 2, "g": 3}.get(unit[:1], 0)
    # Many languages write five thousand as "5.000". Only before a larger unit is it a fraction, as in "1.024 MB".
    if _THOUSANDS.fullmatch(text) and (not power or text.count(".") > 1):
        text = text.replace(".", "")
    try:
        number = float(text)
    except ValueError:
        return None
    binary = unit.endswith("ib") or unit[1:2] == "i"
    return int(number * (1024 if binary else 1000) ** power) or None
