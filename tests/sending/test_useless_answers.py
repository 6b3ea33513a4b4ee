"""Which first answers are of no use, and which only look like it: those never hold a file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from batchd.sending.useless_answers import FIRST, Came, Kind, judge, suspect
from batchd.sending.whose_fault import ServiceRefusal

pytestmark = pytest.mark.field("answers")

REVIEWS = [
    f"{word} arrived {'late' * (number % 3)} and number {number}" for number, word in enumerate("abcdefghij" * 3)
]
SYSTEM = "You label product reviews. Answer with one word: good, bad or neutral."


def what(answer: Callable[[str, int], str | Came], *, system: str = SYSTEM, user: str = "Review: {}") -> str | None:
    """What the answers to the reviews come to."""
    found = []
    for number, review in enumerate(REVIEWS[:FIRST]):
        asked = user.format(review)
        messages = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
        came = answer(asked, number)
        came = Came(text=came) if isinstance(came, str) else came
        found.append(suspect(came, json.dumps({"model": "m", "messages": messages}).encode()))
    whole = [each for each in found if each is not None]
    verdict = judge(whole) if len(whole) == len(found) else None
    return None if verdict is None else verdict.what


def always(text: str) -> Callable[[str, int], str]:
    return lambda asked, number: text


PAGE = "<!DOCTYPE html><html><body>Please log in, request {}</body></html>"
REFUSED = ServiceRefusal("model_disabled", "This model is not for you", status=200)
USELESS: dict[str, tuple[Kind, Callable[[str, int], str | Came]]] = {
    "no text": (Kind.EMPTY, lambda asked, number: Came(code="no_text", message="It has no text.")),
    "an empty text": (Kind.EMPTY, always(" ")),
    "an empty body": (Kind.EMPTY, lambda asked, number: Came(code="empty_answer", message="Empty.")),
    "a page as the body": (Kind.EMPTY, lambda asked, number: Came(code="unreadable_answer", message="<html>")),
    "cut off": (Kind.CUT, lambda asked, number: Came(text="We", code="length", message="Cut.")),
    "filtered": (Kind.REFUSAL, lambda asked, number: Came(code="content_filter", message="Filtered.")),
    "an error in a success": (Kind.ERROR, lambda asked, number: Came(code="model_disabled", refusal=REFUSED)),
    "a page": (Kind.PAGE, lambda asked, number: PAGE.format(f"req-{number}8f3")),
    "an error as the text": (Kind.ERROR, always('{"error": {"message": "no such model", "code": 3}}')),
    "a code as the text": (Kind.ERROR, always('{"code": 1211, "msg": "unknown model"}')),
    "a refusal": (Kind.REFUSAL, always("I'm sorry, but I can't assist with that request.")),
    "refusals in other words": (
        Kind.REFUSAL,
        lambda asked, number: ["I cannot help with that.", "Sorry, I am unable to assist you.", "As an AI, I cannot."][
            number % 3
        ],
    ),
    "a refusal in Vietnamese": (Kind.REFUSAL, always("Xin lỗi, tôi không thể giúp bạn việc này.")),
    "a notice": (Kind.NOTICE, lambda asked, number: f"The service is busy, try again later (id {number}a7)."),
    "a greeting": (Kind.NOTICE, always("Hello! How can I assist you today?")),
    "an echo": (Kind.ECHO, lambda asked, number: asked),
    "an echo of all": (Kind.ECHO, lambda asked, number: f"{SYSTEM}\n\n{asked}"),
}
HONEST: dict[str, tuple[Callable[[str, int], str | Came], dict[str, str]]] = {
    "the same word": (always("yes"), {}),
    "a label that was not named": (always("subscription"), {"system": "One word: what is it about?"}),
    "a label of some words": (always("rate limit exceeded"), {"system": "Which kind of log line is it?"}),
    "the same sentence": (always("The review says nothing about the price."), {}),
    "a sentence that the prompt offers": (
        always("I cannot help with that."),
        {"system": "If there is no question in it, answer: I cannot help with that."},
    ),
    "a notice that the prompt offers": (
        always("Please try again later, thank you."),
        {"system": 'Answer "Please try again later, thank you" to complaints.'},
    ),
    "pages that were asked for": (
        lambda asked, number: f"<!DOCTYPE html><html><h1>{asked}</h1></html>",
        {"system": "Write a page about it."},
    ),
    "the same page, asked for": (always("<html><p>empty</p></html>"), {"system": "Write it as HTML."}),
    "errors that were asked for": (
        always('{"error": {"message": "no date", "code": 1}}'),
        {"system": "Give JSON with the error in the line."},
    ),
    "nothing to correct": (lambda asked, number: asked, {"system": "Correct the spelling.", "user": "{}"}),
    "JSON of one's own": (always('{"sentiment": "bad", "code": 4}'), {}),
    "an empty list": (always("[]"), {}),
    "a minus": (always("-"), {}),
    "a service that is busy now": (
        lambda asked, number: Came(code="503", refusal=ServiceRefusal("503", "overloaded", status=200)),
        {},
    ),
    "a refused row": (lambda asked, number: Came(code="x", refusal=ServiceRefusal("x", "no", status=400)), {}),
    "vectors": (lambda asked, number: Came(), {}),
    "one that is useful": (lambda asked, number: "fine" if number == 7 else asked, {}),
    "refusals of some": (lambda asked, number: "I can't help with that." if number % 2 else "bad", {}),
}


def test_answers_of_no_use_are_told() -> None:
    faults = [f"{name}: {told}" for name, (kind, answer) in USELESS.items() if (told := what(answer)) != kind.value]
    assert not faults, "\n".join(faults)


def test_honest_answers_are_never_taken_for_useless() -> None:
    faults = [f"{name}: {told}" for name, (answer, more) in HONEST.items() if (told := what(answer, **more))]
    assert not faults, "\n".join(faults)


def test_few_answers_say_nothing() -> None:
    assert judge([]) is None
    found = suspect(Came(code="no_text", message="x"), b"{}")
    assert found is not None
    assert judge([found] * (FIRST - 1)) is None
    assert judge([found] * FIRST) is not None
