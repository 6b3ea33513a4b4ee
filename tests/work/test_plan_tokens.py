"""What planning says of the tokens of a part."""

from __future__ import annotations

from typing import Any

from batchd.work.planning.plan import plan

from .conftest import Desk
from .test_plan import task, texts


def test_the_correction_is_applied_to_what_is_used_and_not_to_what_is_compared(provider: Desk) -> None:
    plain = plan(task(provider, texts("one", "two words"), model="gpt-4o"))
    twice = plan(task(provider, texts("one", "two words"), model="gpt-4o", correction=2.0))
    assert twice.input_tokens == 2 * plain.input_tokens
    assert twice.counted_tokens == plain.counted_tokens == plain.input_tokens
    assert twice.longest == 2 * plain.longest


def test_the_longest_request_is_told(provider: Desk) -> None:
    short, long = plan(task(provider, texts("one"))), plan(task(provider, texts("word " * 500)))
    both = plan(task(provider, texts("one", "word " * 500, "two")))
    assert (short.longest, long.longest) == (short.input_tokens, long.input_tokens)
    assert both.longest == long.longest > 400
    assert both.input_tokens == long.longest + 2 * short.longest


def test_requests_without_a_limit_to_their_answers_are_told(provider: Desk) -> None:
    limited: dict[str, Any] = {"model": "small", "max_tokens": 7}
    assert plan(task(provider, texts("one", "two"), common=limited)).unlimited == 0
    done = plan(task(provider, texts("one", "two"), common={"model": "small"}))
    assert (done.unlimited, done.output_tokens) == (2, 0)


def test_what_cannot_be_asked_has_no_tokens(provider: Desk) -> None:
    done = plan(task(provider, texts("unaskable", "crash")))
    assert (done.failed, done.input_tokens, done.counted_tokens, done.longest, done.unlimited) == (2, 0, 0, 0, 0)
