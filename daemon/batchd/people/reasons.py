"""Why a file was handed back, in the language of the person who dropped it.

Reasons are written in English where they arise, also by other people's plugins. This module recognizes the sentences
that it knows, with their values, and translates them. A reason with an unknown sentence stays English as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from .language import TO_VI, Code

FOR_THE_OPERATOR = "For the operator: "
"""What follows in a reason is not for the person who dropped the file."""
_LONGEST = 10_000
_AMOUNTS = frozenset({"cost", "most", "left", "spent"})
_NAME = re.compile(r"\\\{([a-z]+)\\\}")


def reason_in(text: str, language: Code) -> str:
    """The reason in this language; unchanged if it has a sentence that is not known."""
    if language == "en" or len(text) > _LONGEST:
        return text
    said = _said(" ".join(text.split()), _sentences(language))
    return text if said is None else said


@cache
def _sentences(language: Code) -> Sequence[tuple[re.Pattern[str], str]]:
    """A pattern for each sentence, and its translation; sentences with the most text of their own come first."""
    import tomllib
    from importlib.resources import files

    pairs = tomllib.loads(files(__package__).joinpath("reasons.toml").read_text(encoding="utf-8"))[language]
    found = [
        # A value at the end of a sentence may itself be several sentences.
        (
            re.compile(_NAME.sub(r"(?P<\1>.+?)", re.escape(english)) + ("$" if english.endswith("}") else "(?= |$)")),
            said,
        )
        for english, said in sorted(pairs, key=lambda pair: -len(_NAME.sub("", re.escape(pair[0]))))
    ]
    return tuple(found)


def _said(text: str, sentences: Sequence[tuple[re.Pattern[str], str]]) -> str | None:
    if not text:
        return ""
    for pattern, said in sentences:
        match = pattern.match(text)
        if match is None:
            continue
        rest = _said(text[match.end() :].lstrip(), sentences)
        if rest is not None:
            return f"{_filled(said, match, sentences)} {rest}".rstrip()
    return None


def _filled(said: str, match: re.Match[str], sentences: Sequence[tuple[re.Pattern[str], str]]) -> str:
    def tell(name: re.Match[str]) -> str:
        value = match[name[1]]
        return (_said(value, sentences) if " " in value else None) or _as_there(name[1], value)

    return re.sub(r"{([a-z]+)}", tell, said)


def _as_there(name: str, value: str) -> str:
    """The value, with Vietnamese separators in counts and amounts."""
    number = r"\d[\d,]*(?:\.\d+)?(?: [A-Z]{3})?" if name in _AMOUNTS else r"\d{1,3}(?:,\d{3})+"
    return value.translate(TO_VI) if re.fullmatch(number, value) else value
