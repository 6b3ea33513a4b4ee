"""Copies of answers for machines that see the spool alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from batchd.store.answer_cache import AnswerCache
from batchd.store.answer_copies import KEPT_FOR, forget_copies, readable_copy
from batchd.store.errors import StoreUnavailable


@pytest.fixture
def book(tmp_path: Path) -> Path:
    for name in ("state", "spool"):
        (tmp_path / name).mkdir()
    path = tmp_path / "state" / "ahead.db"
    with AnswerCache.opened(path) as cache:
        cache.keep([(b"a" * 16, b"one")], at=1.0)
    return path


def read(copy: Path) -> dict[bytes, bytes]:
    with AnswerCache.copy_opened(copy) as cache:
        return dict(cache.recall([b"a" * 16, b"b" * 16], since=0.0))


def test_a_copy_has_what_was_there_when_it_was_made(book: Path, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    first = readable_copy(book, spool)
    assert (read(first), stat.S_IMODE(first.stat().st_mode)) == ({b"a" * 16: b"one"}, 0o600)
    assert readable_copy(book, spool) == first, "nothing has changed"
    with AnswerCache.opened(book) as cache:
        cache.keep([(b"b" * 16, b"two")], at=2.0)
    second = readable_copy(book, spool)
    assert (set(read(second).values()), set(read(first).values())) == ({b"one", b"two"}, {b"one"})
    os.utime(first, (0, first.stat().st_mtime - KEPT_FOR - 1))
    with AnswerCache.opened(book) as cache:
        cache.keep([(b"b" * 16, b"three")], at=3.0)
    third = readable_copy(book, spool)
    assert sorted(spool.iterdir()) == sorted([second, third]), "one that nobody reads any more is gone"
    forget_copies(spool)
    assert list(spool.iterdir()) == []


def test_a_copy_stays_for_the_task_that_was_given_it_last(book: Path, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    first = readable_copy(book, spool)
    long_ago = first.stat().st_mtime - 2 * KEPT_FOR
    os.utime(first, (long_ago, long_ago))
    assert readable_copy(book, spool) == first, "a task is given it now"
    with AnswerCache.opened(book) as cache:
        cache.keep([(b"b" * 16, b"two")], at=2.0)
    assert readable_copy(book, spool) != first
    assert read(first) == {b"a" * 16: b"one"}


def test_where_the_spool_lies_beside_it_there_is_no_copy(book: Path) -> None:
    assert readable_copy(book, book.parent) == book
    assert [each.name for each in book.parent.iterdir() if each.name.startswith("ahead-")] == []


def test_one_that_is_gone_is_not_taken_for_an_empty_one(book: Path, tmp_path: Path) -> None:
    copy = readable_copy(book, tmp_path / "spool")
    copy.unlink()
    with pytest.raises(StoreUnavailable):
        read(copy)
