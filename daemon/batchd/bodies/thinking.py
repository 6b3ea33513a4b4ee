"""Removes a model's thinking from the front of its answer, by the marks that the families of models use."""

from __future__ import annotations

import re

_NAMES = (
    r"(?:antml:|seed:|ant)?(?:think(?:ing)?|thoughts?|thought_process|reasoning|reason(?:ing)?_content|reflection|"
    r"analysis|scratch_?pad|chain_of_thought|cot|inner_monologue|internal_monologue|deliberation)"
)
_LT, _GT = r"(?:<|&lt;)", r"(?:>|&gt;)"
# How a block of thinking begins; in _PAIRS, also how it ends. A tag ends with the same name: `_after_tag` finds it.
_OPENING = re.compile(rf"{_LT}({_NAMES})(?:\s[^<>]*)?/?{_GT}", re.IGNORECASE)
_PAIRS = (
    (re.compile(r"\[(?:THINK|THINKING|REASONING)\]"), re.compile(r"\[/(?:THINK|THINKING|REASONING)\]")),
    (re.compile(r"<\|(?:begin_of_thought|thought_begin|begin_of_thinking|think|thinking|START_THINKING)\|>"),
     re.compile(r"<\|(?:end_of_thought|thought_end|end_of_thinking|/think|/thinking|END_THINKING)\|>")),
    (re.compile(r"◁think▷"), re.compile(r"◁/think▷")),
    (re.compile(r"<unused94>"), re.compile(r"<unused95>")),
    (re.compile(r"<\|?channel\|?>\s*(?:thought|analysis)\n"), re.compile(r"<channel\|>")),
    (re.compile(r"<details\b[^>]*\btype=[\"']reasoning[\"'][^>]*>"), re.compile(r"</details>")),
    (re.compile(r"Here is my thought process:\s"), re.compile(r"Here is my response:")),
    (re.compile(r"```(?:think|thinking|thought|reasoning)[ \t]*\n"), re.compile(r"\n```[ \t]*(?:\n|$)")),
)  # fmt: skip
# If a template begins the thinking in the prompt, the answer has only the mark of its end.
_LONE_CLOSING = re.compile(
    rf"{_LT}/(?:antml:|seed:)?(?:think(?:ing)?|thoughts?|reasoning){_GT}|\[/THINK(?:ING)?\]|◁/think▷|"
    r"<\|(?:end_of_thought|thought_end|END_THINKING)\|>|<unused95>",
    re.IGNORECASE,
)
_FINAL = re.compile(r"<\|channel\|>\s*final\b(?:(?!<\|message\|>).){0,200}<\|message\|>")
_CHANNEL = re.compile(r"(?:<\|start\|>\s*assistant\s*)?<\|channel\|>")
_BARE_CHANNELS = re.compile(r"analysis(?=\S).*?assistant\s*final(?:\s*json)?", re.DOTALL)
_WRAPPED = re.compile(
    r"(?:<\|begin_of_solution\|>|<answer>|<response>|<\|START_RESPONSE\|>|<final_answer>|<final>|<output>)",
    re.IGNORECASE,
)
_UNWRAPPED = re.compile(
    r"(?:<\|end_of_solution\|>|</answer>|</response>|<\|END_RESPONSE\|>|</final_answer>|</final>|</output>)$",
    re.IGNORECASE,
)
_END_MARKS = re.compile(r"(?:<\|(?:return|end|im_end|eot_id|endoftext|end_of_text|eom_id|eos)\|>|</s>|<eos>)\s*$")
_NO_TEXT = "\ufeff\u200b\u200c\u200d\u2060 \t\r\n"
_MARKS = "\ufeff\u200b\u2060"
_QUOTES = "`'\"“‘«"


def without_thinking(text: str) -> str:
    """The answer without the thinking at its front, and without the marks around it; unchanged if there is none.

    >>> without_thinking("<think>Short, so good.</think>\\n\\ngood"), without_thinking("a < b")
    ('good', 'a < b')
    """
    text = text.lstrip(_MARKS)
    # Separate searches, which are fast: this runs for every answer.
    if not (
        "<" in text
        or "[" in text
        or "```" in text
        or "analysis" in text
        or "&lt;" in text
        or "◁" in text
        or "Here is my thought process:" in text
    ):
        return text
    rest, found = text, False
    for _ in range(20):
        shorter = _without_one(rest.lstrip(_NO_TEXT))
        if shorter is None:
            break
        rest, found = shorter, True
    if not found:
        lone = _LONE_CLOSING.search(text)
        if lone is None or text[lone.start() - 1 : lone.start()] in tuple(_QUOTES):
            return text
        if _OPENING.search(text, 0, lone.start()) or any(begins.search(text, 0, lone.start()) for begins, _ in _PAIRS):
            return text  # a block in the middle, which may be what was asked for
        rest = text[lone.end() :]
    rest = _END_MARKS.sub("", rest).strip(_NO_TEXT)
    wrapped = _WRAPPED.match(rest)
    return _UNWRAPPED.sub("", rest[wrapped.end() :]).strip() if wrapped else rest


def _without_one(text: str) -> str | None:
    """Return the text after the block of thinking that it begins with; None if it begins with none."""
    if _CHANNEL.match(text):
        final = list(_FINAL.finditer(text))
        return text[final[-1].end() :] if final else _after_pair(text) or ""
    opening = _OPENING.match(text)
    if opening is not None:
        return text[opening.end() :] if opening[0].endswith(("/>", "/&gt;")) else _after_tag(text, opening)
    bare = _BARE_CHANNELS.match(text)
    return text[bare.end() :] if bare is not None else _after_pair(text)


def _after_pair(text: str) -> str | None:
    for begins, ends in _PAIRS:
        opening = begins.match(text)
        if opening is not None:
            closing = ends.search(text, opening.end())
            return text[closing.end() :] if closing is not None else ""
    return None


def _after_tag(text: str, opening: re.Match[str]) -> str:
    """Return what follows the end of a tag's block, which may hold tags of the same name; empty if it has no end."""
    either = re.compile(rf"{_LT}(/?){re.escape(opening[1])}(?:\s[^<>]*)?{_GT}", re.IGNORECASE)
    depth, last = 1, None
    for tag in either.finditer(text, opening.end()):
        depth += -1 if tag[1] else 1
        if tag[1]:
            last = tag.end()
        if depth == 0:
            break
    if last is None:  # some models end it with another name
        other = _LONE_CLOSING.search(text, opening.end())
        last = other.end() if other is not None else len(text)
    # A tag that the thinking only talks about is never closed: then the last end counts.
    return text[last:]
