"""Input tokens, counted offline."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.money import tokens
from batchd.money.sampled_tokens import COUNTED_FIRST, COUNTED_OF_EACH, TokenCounter
from batchd.money.tokens import counter, texts, vocabulary

encode = msgspec.json.encode
AROUND = 3 + 4
"""Tokens around a conversation of one message."""
PARAGRAPH = "It came late, the box was “hỏng”, and nobody at the hotline answered.\n"


@pytest.fixture
def no_vocabularies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the extra were not installed."""
    monkeypatch.setitem(sys.modules, "splintr", None)
    tokens.tokenizer_of.cache_clear()
    yield
    tokens.tokenizer_of.cache_clear()


def asked(*said: str, **more: Any) -> bytes:
    """A chat request of these messages."""
    return encode({"model": "m", "messages": [{"role": "user", "content": text} for text in said], **more})


def one(body: bytes, model: str = "gpt-4o") -> int:
    """The tokens of one body."""
    return counter(model)(body)


def of(text: str, model: str = "gpt-4o") -> int:
    """The tokens of a text."""
    return one(asked(text), model) - AROUND


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1-nano", "o200k_base"),
        ("gpt-4.5-preview", "o200k_base"),
        ("gpt-6-luna", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("deepseek-v3.2", "deepseek_v3"),
        ("deepseek-r1-distill-llama-70b", "llama3"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "llama3"),
        ("accounts/fireworks/models/llama-v3p1-8b-instruct", "llama3"),
        ("Qwen/Qwen3-235B-A22B", "qwen3"),
        ("qwq-32b", "qwen3"),
        ("mistral-large-latest", "mistral_v3"),
        ("ministral-8b", "mistral_v3"),
        ("open-mixtral-8x7b", "mistral_v1"),
        ("open-mixtral-8x22b", "mistral_v2"),
        ("glm-4.6", "glm4"),
        ("kimi-k2-instruct", "kimi_k2"),
        ("phi-4", "phi4"),
        ("gemma-3-27b-it", "gemma2"),
        ("claude-sonnet-4-5", None),
        ("small", None),
    ],
)
def test_a_models_name_tells_its_vocabulary(model: str, known: str | None) -> None:
    assert vocabulary(model) == (known or tokens.STAND_IN)


@pytest.mark.parametrize("name", sorted({name for _, name in tokens.VOCABULARIES} | {tokens.STAND_IN}))
def test_every_vocabulary_is_there(name: str) -> None:
    tokenizer = tokens.tokenizer_of(name)
    assert tokenizer is not None
    assert 3 <= len(tokenizer.encode_ordinary("It was broken.")) <= 6


def test_known_texts_have_their_known_numbers_of_tokens() -> None:
    assert of("hello world") == 2
    assert of("Xin chào thế giới") == 5
    assert of("hello world", "deepseek-v3.2") == 2


def test_the_json_around_a_text_counts_for_nothing() -> None:
    plain = one(asked("hello world"))
    assert plain == 2 + AROUND
    more = asked("hello world", temperature=0, metadata={"note": "a long note " * 50}, user="somebody", max_tokens=5)
    assert one(more) == plain


def test_a_text_counts_the_same_however_it_is_escaped() -> None:
    text = 'She said "no".\n\tĐúng rồi — 日本'
    by_hand = (
        b'{"messages":[{"role":"user","content":"' + "".join(f"\\u{ord(sign):04x}" for sign in text).encode() + b'"}]}'
    )
    assert one(by_hand) == one(asked(text))


def test_the_spelling_of_a_special_token_is_text() -> None:
    assert of("<|endoftext|>") > 3


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"input": "hello world"}, 2),  # embeddings, responses
        ({"input": ["hello world", "hello world"]}, 4),
        ({"input": [1, 2, 3]}, 3),  # tokens already
        ({"input": [[1, 2], [3]]}, 3),
        ({"prompt": "hello world"}, 2),
        ({"prompt": ["hello", "hello"]}, 2),
        ({"instructions": "hello world", "input": [{"role": "user", "content": "hello world"}]}, 4 + 2 * 4),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "hello world"}]}]}, 2 + 4),
        ({"input": [{"type": "function_call_output", "output": "hello world"}]}, 2 + 4),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hello world"}]}]}, 2 + AROUND),
        ({"messages": [{"role": "user", "content": None}]}, AROUND),
        ({"messages": [{"role": "user", "name": "hello", "content": "hello world"}]}, 3 + AROUND),
        ({"messages": ["odd", 3, None]}, 3 + 3 * 4),
        ({"messages": "odd"}, 0),
        ({}, 0),
    ],
)
def test_every_endpoints_body_is_read(body: dict[str, Any], count: int) -> None:
    assert one(encode({"model": "m", **body})) == count


def test_a_picture_counts_as_a_guess_and_its_bytes_do_not() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    content = [{"type": "text", "text": "hello world"}, picture]
    large = 765
    assert one(encode({"messages": [{"role": "user", "content": content}]})) == 2 + AROUND + large


def test_tools_and_schemas_are_read_by_the_model() -> None:
    schema = {"type": "object", "properties": {"sentiment": {"type": "string", "description": "how it sounds"}}}
    plain = one(asked("hello world"))
    as_text = of(encode(schema).decode())
    wrapped = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert one(asked("hello world", response_format=wrapped)) == plain + as_text
    flat = {"format": {"type": "json_schema", "schema": schema}}
    assert one(encode({"input": "hello world", "text": flat})) == 2 + as_text
    assert one(asked("hello world", response_format={"type": "json_object"})) == plain
    assert one(asked("hello world", tools=[{"type": "function", "function": {"parameters": schema}}])) > plain + as_text


SYSTEM = {"role": "system", "content": "You label product reviews.\nAnswer as SENTIMENT|PUNCTUALITY|QUALITY. " * 5}
CELL = st.text(st.characters(codec="utf-8"), max_size=30)


def framed(before: str, text: str, behind: str, **more: Any) -> bytes:
    """A request as a template makes it."""
    messages = [SYSTEM, {"role": "user", "content": before + text + behind}]
    return encode({"model": "m", "messages": messages, "max_tokens": 5, **more})


@given(CELL, CELL, st.lists(CELL, min_size=2, max_size=12))
def test_counting_the_frame_once_changes_next_to_nothing(before: str, behind: str, cells: list[str]) -> None:
    bodies = [framed(before, cell, behind) for cell in cells]
    run = counter("gpt-4o")
    for body in bodies:
        # Where a word is cut, its two halves may have a token or two more or less than the whole.
        assert abs(run(body) - one(body)) <= 2


@pytest.mark.parametrize(("before", "behind"), [("Review: ", ""), ("", ""), ("Review:\n", "\n\nLabel it."), ("«", "»")])
def test_in_a_frame_as_people_write_them_the_sum_is_right(before: str, behind: str) -> None:
    chance = random.Random(3)
    words = PARAGRAPH.split()
    bodies = [framed(before, " ".join(chance.choices(words, k=chance.randint(1, 30))), behind) for _ in range(500)]
    run = counter("gpt-4o")
    assert sum(map(run, bodies)) == pytest.approx(sum(map(one, bodies)), rel=0.01)
    # The frame was found, or this test shows nothing.
    assert isinstance(run, TokenCounter)
    assert run.one_by_one.constant is not None


def test_bodies_that_are_nothing_alike_are_counted_whole() -> None:
    chance = random.Random(4)
    bodies = [
        encode({"messages": [{"role": "user", "content": PARAGRAPH * chance.randint(1, 5)}] * chance.randint(1, 3)})
        for _ in range(COUNTED_FIRST)
    ]
    assert list(map(counter("gpt-4o"), bodies)) == list(map(one, bodies))


def test_what_differs_where_the_model_does_not_look_counts_for_nothing() -> None:
    bodies = [asked("hello world", user="somebody " * (number % 7 + 1) + str(number)) for number in range(100)]
    assert set(map(counter("gpt-4o"), bodies)) == {one(bodies[0])}


def test_two_texts_that_differ_are_both_counted() -> None:
    chance = random.Random(5)
    bodies = [
        encode(
            {
                "messages": [
                    {"role": "system", "content": "word " * chance.randint(1, 90)},
                    {"role": "user", "content": "name " * chance.randint(1, 90)},
                ]
            }
        )
        for _ in range(100)
    ]
    assert list(map(counter("gpt-4o"), bodies)) == list(map(one, bodies))


def test_of_many_bodies_a_share_is_counted_and_the_sum_is_right() -> None:
    chance = random.Random(6)
    words = PARAGRAPH.split()
    bodies = [framed("Review: ", " ".join(chance.choices(words, k=chance.randint(1, 60))), "") for _ in range(6_000)]
    looked_at = 0

    class Watched(tokens.OneByOne):
        def __call__(self, body: bytes) -> float:
            nonlocal looked_at
            looked_at += 1
            return super().__call__(body)

    run = counter("gpt-4o")
    assert isinstance(run, TokenCounter)
    assert isinstance(run.one_by_one, tokens.OneByOne)
    run.one_by_one = Watched(run.one_by_one.encode, run.one_by_one.picture)
    counts = list(map(run, bodies))
    # 6,000 are 200, five times as many as before, and a little.
    assert COUNTED_FIRST + 4 * COUNTED_OF_EACH < looked_at < COUNTED_FIRST + 7 * COUNTED_OF_EACH
    assert run.total == pytest.approx(sum(map(one, bodies)), rel=0.01)
    assert list(map(counter("gpt-4o"), bodies)) == counts, "the same run gives the same counts"


ENGLISH, JAPANESE = PARAGRAPH.split(), ["日本語", "の", "文章", "です", "長い"]
FILES = {
    "sorted": lambda place: ENGLISH if place < 3_000 else JAPANESE,
    "every second": lambda place: (ENGLISH, JAPANESE)[place % 2],
    "the last tenth": lambda place: ENGLISH if place < 5_400 else JAPANESE,
}


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_changes_its_language_is_counted_right(file: str) -> None:
    # Or a budget would hold for the language of the first rows alone.
    chance = random.Random(7)
    bodies = [
        framed("", " ".join(chance.choices(FILES[file](place), k=chance.randint(5, 60))), "") for place in range(6_000)
    ]
    run, exact = counter("gpt-4o"), counter("gpt-4o").one_by_one
    for body in bodies:
        run(body)
    assert run.total == pytest.approx(sum(map(exact, bodies)), rel=0.02)
    assert run.longest >= 0.97 * max(map(exact, bodies))


@given(st.lists(st.integers(1, 900), min_size=1, max_size=1_500), st.integers(1, 700))
def test_many_at_once_are_counted_as_one_by_one(lengths: list[int], at_once: int) -> None:
    bodies = [encode({"input": "a" * length}) for length in lengths]
    single, many = (TokenCounter(_Bytes()) for _ in range(2))
    for body in bodies:
        single(body)
    for start in range(0, len(bodies), at_once):
        some = bodies[start : start + at_once]
        many.many(list(map(len, some)), some.__getitem__)
    assert (many.total, many.longest) == (single.total, single.longest)


class _Bytes:
    """Eight bytes are one token."""

    constant, frame_bytes = None, 0

    def __call__(self, body: bytes) -> float:
        return len(body) / 8


def test_the_longest_of_many_bodies_is_counted_itself() -> None:
    bodies = [asked("short")] * (COUNTED_FIRST * 2) + [asked("日本語" * 3_000)]
    assert list(map(counter("gpt-4o"), bodies))[-1] == one(bodies[-1])


def test_the_correction_multiplies() -> None:
    body = asked("word " * 1_000)
    assert counter("gpt-4o", 1.5)(body) == pytest.approx(1.5 * one(body), abs=1)


@pytest.mark.usefixtures("no_vocabularies")
def test_without_the_extra_bytes_are_counted() -> None:
    assert vocabulary("gpt-4o") is None
    assert one(asked("a" * 350)) == 100 + AROUND
    assert one(asked("é" * 175)) == 100 + AROUND
    # A frame, as with vocabularies.
    bodies = [framed("Review: ", "b" * number, "") for number in range(1, 60)]
    assert list(map(counter("gpt-4o"), bodies)) == [one(body) for body in bodies]


def test_a_tokenizer_that_is_broken_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def from_pretrained(name: str) -> object:
            raise ValueError(f"no vocabulary {name}")

    monkeypatch.setattr("splintr.Tokenizer", Broken)
    tokens.tokenizer_of.cache_clear()
    try:
        assert one(asked("a" * 350)) == 100 + AROUND
    finally:
        tokens.tokenizer_of.cache_clear()


def test_a_body_names_everything_that_a_model_reads() -> None:
    said = list(texts(encode({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]})))
    assert said == [3 + 4, '[{"function":{"name":"f"}}]']


def test_counting_needs_no_network() -> None:
    """In a network namespace with nothing in it, not even loopback."""
    code = "from batchd.money.tokens import counter, vocabulary; print(vocabulary('gpt-4o'), counter('gpt-4o')(b'{}'))"
    empty = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*empty, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody make a network namespace")
    done = subprocess.run([*empty, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["o200k_base", "0"]
