"""Sinks that send pages: which rows are in one, what its key is, and where they go on after a fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchd import Page, PagedSink, Receipt, ResultRow, RowStatus, Settings, TransientError, cell_text, unique_names
from batchd.contracts import DeliveryJob
from batchd.testing.outbox import FakeRows, MemoryOutbox, many_rows, sample_job, sample_rows


class Pages(PagedSink[Settings]):
    """Keeps the pages that it sends; fails as often as `faults` says, by the number of the page."""

    pauses = (0.0, 0.0)

    def __init__(self, *, rows: int = 3, size: int = 1_000_000) -> None:
        super().__init__(Settings())
        self.page_rows, self.page_bytes = rows, size
        self.faults: dict[int, int] = {}
        self.calls = 0
        self.pages: list[Page] = []

    async def send(self, page: Page) -> None:
        self.calls += 1
        if self.faults.get(page.number, 0) > 0:
            self.faults[page.number] -= 1
            raise TransientError("busy", retry_after=0.0)
        self.pages.append(page)

    def receipt(self, job: DeliveryJob, rows: int) -> Receipt | None:
        return Receipt("here", rows=rows)


def numbers(sink: Pages) -> list[list[int]]:
    return [[row.number for row in page.rows] for page in sink.pages]


async def test_pages_have_all_rows_in_order_and_the_last_says_so() -> None:
    sink = Pages()
    receipt = await sink.publish(sample_job(MemoryOutbox()), many_rows(7))
    assert numbers(sink) == [[0, 1, 2], [3, 4, 5], [6]]
    assert [page.last for page in sink.pages] == [False, False, True]
    assert receipt == Receipt("here", rows=7)
    sink = Pages(rows=1_000, size=300)
    await sink.publish(sample_job(MemoryOutbox()), many_rows(7))
    assert sum(map(len, numbers(sink))) == 7
    assert all(sum(map(len, page.encoded)) <= 300 for page in sink.pages)


async def test_a_page_has_the_same_key_again_and_another_if_its_rows_are_others() -> None:
    keys = []
    for rows in (many_rows(7), many_rows(7), changed(many_rows(7), 4)):
        sink = Pages()
        await sink.publish(sample_job(MemoryOutbox()), rows)
        keys.append([page.key for page in sink.pages])
    assert keys[0] == keys[1]
    assert [same == other for same, other in zip(keys[0], keys[2], strict=True)] == [True, False, True]
    assert len(set(keys[0])) == 3


def changed(rows: FakeRows, number: int) -> FakeRows:
    """The rows with another answer in one of them, as after `batchd retry`."""

    def make() -> Iterator[ResultRow]:
        for row in many_rows(7):
            answer = ["another", 1] if row.number == number else row.answer
            yield ResultRow(row.number, row.values, row.values, RowStatus.OK, answer, None, None, None)

    return FakeRows(rows.columns, rows.answer_columns, make)


async def test_a_page_is_tried_again_and_after_that_the_delivery_goes_on_there() -> None:
    sink, job = Pages(), sample_job(MemoryOutbox())
    sink.faults = {2: 2}
    await sink.publish(job, many_rows(7))
    assert (numbers(sink), sink.calls) == ([[0, 1, 2], [3, 4, 5], [6]], 5)
    sink = Pages()
    sink.faults = {3: 4}
    with pytest.raises(TransientError):
        await sink.publish(job, many_rows(7))
    await sink.publish(job, many_rows(7))
    assert numbers(sink) == [[0, 1, 2], [3, 4, 5], [6]], "no page twice"
    await sink.publish(job, many_rows(7))
    assert len(sink.pages) == 6, "delivered anew, all of it is sent again"


async def test_a_row_is_a_dictionary_as_in_the_results() -> None:
    sink = Pages(rows=100)
    await sink.publish(sample_job(MemoryOutbox()), sample_rows())
    [page] = sink.pages
    assert page.rows[0].as_dict() == {
        "id": "1",
        "review": "Great, really.",
        "answer": "good",
        "score": 3,
        "status": "ok",
        "error": None,
    }
    assert page.rows[6].as_dict()["error"] == "The job was cancelled before this row was answered."
    assert [cell_text(cell) for cell in page.rows[6].cells[:4]] == ["7", '{"nested":[1,2.5,null]}', "", ""]


def test_names_are_unique_for_databases_too() -> None:
    cases = [
        (["Text", "text", "TEXT"], None, ["Text", "text (2)", "TEXT (3)"]),
        (["", "a\0b", "e\u0301", "é"], None, ["column 1", "ab", "e\u0301", "é (2)"]),
        (["x" * 70, "X" * 64], 63, ["x" * 63, "X" * 59 + " (2)"]),
        (["đ" * 40], 63, ["đ" * 31]),
        (["a", "a (2)", "a"], None, ["a", "a (2)", "a (3)"]),
    ]
    for names, longest, wanted in cases:
        assert unique_names(names, longest=longest) == wanted


async def test_a_sink_that_cannot_send_says_what_it_lacks() -> None:
    class Lazy(PagedSink[Settings]): ...

    with pytest.raises(NotImplementedError, match="Lazy must have a method send"):
        await Lazy(Settings()).publish(sample_job(MemoryOutbox()), many_rows(1))
