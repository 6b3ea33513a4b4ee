"""The answers: labels, schemas and sentences, always the same; and the sample of reviews."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

import batchd_sandbox
from batchd_sandbox.answers.answering import ChatRequest, answer_chat
from batchd_sandbox.answers.responder import Message, requested_labels, respond, tokens_in

LABELS = "You label product reviews. Answer as SENTIMENT|PUNCTUALITY|QUALITY."


def _labels(text: str, instruction: str = LABELS) -> str:
    return respond([Message("system", instruction), Message("user", text)])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Great quality, arrived early. Love it!", "positive|on-time|good"),
        ("Broke after two days and came two weeks late.", "negative|late|bad"),
        ("It is a mat.", "neutral|not mentioned|not mentioned"),
        ("Not good.", "negative|not mentioned|not mentioned"),
        ("Not late at all.", "positive|on-time|not mentioned"),
        ("Giao hàng nhanh, đúng hẹn, vải bền. Rất hài lòng!", "positive|on-time|good"),
        ("Giao trễ cả tuần, hàng bị vỡ. Quá tệ.", "negative|late|bad"),
        ("Không tốt, không đẹp.", "negative|not mentioned|not mentioned"),
        ("Không lỗi, không hỏng gì.", "positive|not mentioned|good"),
        ("Vải đẹp".encode().decode(), "positive|not mentioned|good"),
        ("", "neutral|not mentioned|not mentioned"),
    ],
)
def test_labels(text: str, labels: str) -> None:
    assert _labels(text) == labels


@pytest.mark.parametrize(
    ("instruction", "names"),
    [
        (LABELS, ("SENTIMENT", "PUNCTUALITY", "QUALITY")),
        ("Answer: SENTIMENT | PRODUCT QUALITY | PRICE", ("SENTIMENT", "PRODUCT QUALITY", "PRICE")),
        ("Reply with sentiment|delivery only", ("sentiment", "delivery")),
        ("Trả lời theo mẫu SENTIMENT|QUALITY nhé", ("SENTIMENT", "QUALITY")),
        ("Answer MOOD|WEATHER", ("MOOD", "WEATHER")),
        ("Use a|b or c|d.", ()),
        ("Answer in one word.", ()),
    ],
)
def test_which_labels_a_prompt_asks_for(instruction: str, names: tuple[str, ...]) -> None:
    assert requested_labels(instruction) == names
    assert _labels("Great", instruction).count("|") == max(len(names) - 1, 0)


def test_the_labels_may_be_in_the_question() -> None:
    assert respond([Message("user", "Answer as SENTIMENT|QUALITY. Review: broken, awful")]) == "negative|bad"


def test_parts_of_a_message_are_read() -> None:
    parts = [{"type": "text", "text": "Great"}, {"type": "image_url", "image_url": {"url": "x"}}]
    assert respond([Message("system", LABELS), Message("user", parts)]).startswith("positive")


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "sentiment": {"type": "string", "enum": ["Positive", "Neutral", "Negative"]},
        "quality": {"type": "string"},
        "stars": {"type": "integer", "minimum": 1, "maximum": 5},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "returned": {"type": "boolean"},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        "note": {"anyOf": [{"type": "string", "maxLength": 10}, {"type": "null"}]},
        "day": {"type": "string", "format": "date"},
        "kind": {"const": "review"},
        "maybe": {"type": ["string", "null"]},
        "tree": {"$ref": "#/$defs/tree"},
    },
    "$defs": {
        "tag": {"type": "string", "enum": ["a", "b"]},
        "tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}},
    },
}


def test_a_schema_is_filled() -> None:
    filled = json.loads(respond([Message("user", "Broken. Terrible.")], SCHEMA))
    assert set(filled) == set(SCHEMA["properties"])
    assert filled["sentiment"] == "Negative"
    assert filled["quality"] == "bad"
    assert isinstance(filled["stars"], int)
    assert 1 <= filled["stars"] <= 5
    assert 0 <= filled["score"] <= 1
    assert isinstance(filled["returned"], bool)
    assert len(filled["tags"]) == 2
    assert set(filled["tags"]) <= {"a", "b"}
    assert len(filled["note"]) <= 10
    assert filled["day"] == "2026-11-24"
    assert filled["kind"] == "review"
    assert isinstance(filled["maybe"], str)


def test_json_is_returned_if_json_is_requested() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    answer = answer_chat(ChatRequest("m", [Message("user", "Great")], response_format=wanted), b"id", 1)
    content = json.loads(answer.body)["choices"][0]["message"]["content"]
    assert json.loads(content)["sentiment"] == "Positive"
    answer = answer_chat(
        ChatRequest("m", [Message("user", "Great")], response_format={"type": "json_object"}), b"id", 1
    )
    assert json.loads(json.loads(answer.body)["choices"][0]["message"]["content"]) == {"answer": "You wrote: Great"}


def test_any_question_gets_the_same_answer_each_time_as_valid_json() -> None:
    odd = 'quote " backslash \\ newline \n tab \t null \x00 line \u2028 emoji 😀 half \ud83d'
    raw = json.dumps({"model": 'a"b', "messages": [{"role": "user", "content": odd.replace("\ud83d", "")}]})
    request = msgspec.json.decode(raw, type=ChatRequest)
    first, second = (answer_chat(request, b"id", 7).body for _ in range(2))
    assert first == second
    body = json.loads(first)
    assert body["model"] == 'a"b'
    assert body["choices"][0]["message"]["content"].startswith('You wrote: quote " backslash \\ newline tab')


def test_long_questions_are_repeated_in_part() -> None:
    assert respond([Message("user", "word " * 50)]) == f"You wrote: {' '.join(['word'] * 12)}…"
    assert respond([]) == "There was no question."


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("abc", 1), ("abcd", 1), ("abcde", 2), ("đđđđ", 2)])
def test_tokens_are_a_quarter_of_the_bytes(text: str, tokens: int) -> None:
    assert tokens_in(text) == tokens


def test_a_cut_never_splits_a_character() -> None:
    request = ChatRequest("m", [Message("user", "ợ" * 100)], max_completion_tokens=5)
    body = json.loads(answer_chat(request, b"id", 1).body)
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"].startswith("You wrote: ợ")
    assert body["usage"]["completion_tokens"] == 5


def _reviews() -> list[dict[str, str]]:
    path = Path(batchd_sandbox.__file__).with_name("reviews.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_the_sample_is_varied() -> None:
    reviews = _reviews()
    assert list(reviews[0]) == ["id", "product", "stars", "review"]
    assert [int(one["id"]) for one in reviews] == list(range(1, 241))
    texts = [one["review"] for one in reviews]
    assert len(set(texts)) == 240
    assert {one["stars"] for one in reviews} == set("12345")
    assert len({one["product"] for one in reviews}) > 80
    assert sum(not text.isascii() for text in texts) > 80
    assert any("\n" in text for text in texts)
    assert any('"' in text for text in texts)
    assert any("😍" in text for text in texts)
    assert len({text.split()[0] for text in texts}) > 100


def test_the_answers_fit_the_stars() -> None:
    seen: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for review in _reviews():
        sentiment, punctuality, quality = _labels(review["review"]).split("|")
        labels.update({f"sentiment {sentiment}", f"punctuality {punctuality}", f"quality {quality}"})
        stars = int(review["stars"])
        expected = "positive" if stars > 3 else "negative" if stars < 3 else None
        if expected:
            seen["right" if sentiment == expected else "neutral" if sentiment == "neutral" else "wrong"] += 1
    assert seen["right"] > 0.8 * seen.total()
    assert seen["wrong"] < 0.05 * seen.total()
    assert len(labels) == 9


def test_examples_and_corrections_are_no_questions() -> None:
    said = [
        Message("user", "wonderful"),
        Message("assistant", "POS"),
        Message("user", "awful and broken"),
        Message("assistant", "lovely"),
        Message("user", "Your answer cannot be used: it is lovely. Answer again."),
    ]
    assert respond(said) == respond([Message("user", "awful and broken")])
    assert respond(said[:3]) == respond([Message("user", "awful and broken")])


@pytest.mark.parametrize(
    ("system", "answers"),
    [
        ("Answer with one word: positive, negative or mixed.", ["positive", "negative", "mixed"]),
        ("Trả lời bằng một từ: tốt, xấu hoặc lẫn lộn.", ["tốt", "xấu", "lẫn lộn"]),
        ("Say it in one word: yes or no", ["yes", "no", "no"]),
    ],
)
def test_a_prompt_for_one_word_of_several_gets_one(system: str, answers: list[str]) -> None:
    texts = [
        ("Arrived in two days, works well.", "The handle broke at once.", "Good value, slow delivery."),
        ("Giao hàng nhanh, dùng tốt.", "Tay cầm bị vỡ ngay ngày đầu.", "Giá tốt, giao chậm."),
    ]
    for three in texts:
        assert [respond([Message("system", system), Message("user", text)]) for text in three] == answers
    assert respond([Message("system", "One word."), Message("user", "Good")]) == "You wrote: Good"
