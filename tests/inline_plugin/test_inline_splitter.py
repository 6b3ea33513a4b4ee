"""An object is taken apart while it arrives, wherever its pieces end."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchd_inline.answers import Writer
from batchd_inline.splitter import KEPT_OF_LONG, Cut, Item, Splitter, TooLarge

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=8)
    | st.sampled_from(['"', "\\", "]}", "results"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def taken_apart(text: bytes, size: int, **limits: int) -> tuple[Any, list[Item]]:
    items: list[Item] = []
    splitter = Splitter({"results"}, items.append, **limits)
    for at in range(0, len(text), size):
        splitter.feed(text[at : at + size])
    return splitter.rest(), items


@settings(max_examples=40)
@given(
    st.dictionaries(st.text(max_size=5), VALUES, max_size=4),
    st.lists(VALUES, max_size=4),
    st.integers(1, 9),
    st.booleans(),
)
def test_it_gives_what_was_put_in(others: dict[str, Any], results: list[Any], size: int, spread: bool) -> None:
    whole = {**others, "results": results, "after": {"results": [1]}}
    text = json.dumps(whole, indent=1 if spread else None, ensure_ascii=spread).encode("utf-8", "surrogatepass")
    rest, items = taken_apart(text, size)
    assert [json.loads(item.raw) for item in items] == results
    assert rest == whole | {"results": []}


def test_what_is_cut_is_never_taken_for_whole() -> None:
    text = json.dumps({"id": "b", "results": [{"a": 'x"y'}], "status": "completed"}).encode()
    for end in range(1, len(text)):
        with pytest.raises(Cut):
            taken_apart(text[:end], 7)


def test_a_long_item_keeps_its_beginning_and_the_others_all() -> None:
    text = json.dumps({"results": [{"a": 1}, {"id": "long", "text": "x" * 300_000}, {"b": 2}]}).encode()
    _, items = taken_apart(text, 1_000, max_item=200_000)
    assert [item.whole for item in items] == [True, False, True]
    assert KEPT_OF_LONG - 9 < len(items[1].raw) <= KEPT_OF_LONG
    assert items[1].raw.startswith(b'{"id": "long"')
    assert items[2].raw == b'{"b": 2}'


def test_an_object_without_end_is_refused() -> None:
    with pytest.raises(TooLarge):
        taken_apart(b'{"id": "' + b"x" * 20_000, 1_000, max_rest=10_000)


def test_what_is_not_json_raises_a_value_error() -> None:
    for text in (b"", b"all well", b'{"a" 1}'):
        with pytest.raises(ValueError):
            taken_apart(text, 3)
    assert taken_apart(b'{"a": NaN, "results": null}', 4)[0]["results"] is None


def test_what_a_try_has_written_is_taken_back_and_whole_pages_stay() -> None:
    target = io.BytesIO(b"before\n")
    target.seek(0, io.SEEK_END)
    writer = Writer(target, lambda item: item.raw)
    page = writer.items(["results"])
    page.again()
    page.take(Item(b"first", whole=True))
    writer.keep()
    for tried in (b"a long one that breaks off", b"short"):
        page.again()
        page.take(Item(tried, whole=True))
    assert target.getvalue() == b"before\nfirst\nshort\n"
    assert writer.written == 2


def test_memory_does_not_grow_with_the_answers() -> None:
    item = json.dumps({"custom_id": "j-1", "text": "x" * 100_000}).encode()
    count = 0

    def take(_: Item) -> None:
        nonlocal count
        count += 1

    splitter = Splitter({"results"}, take)
    tracemalloc.start()
    try:
        splitter.feed(b'{"results": [')
        for _ in range(100):
            splitter.feed(item + b",")
        splitter.feed(b"{}]}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, splitter.rest()) == (101, {"results": []})
    assert peak < 1_500_000
