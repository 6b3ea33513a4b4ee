"""What authors write: a class that begins with Test, inheriting the questions. Ten-line plugins answer them all."""

from __future__ import annotations

import pytest

from . import good_plugins as good
from . import samples
from .asking import failed, skipped
from .samples import OfBatchProvider, OfLiveProvider, OfObserver, OfPromptBuilder, OfReader, OfSink, OfTable


class TestReader(OfReader):
    """Collected by pytest as an author's would be."""


class TestPromptBuilder(OfPromptBuilder):
    """Collected by pytest as an author's would be."""


class TestBatchProvider(OfBatchProvider):
    """Collected by pytest as an author's would be."""


class TestBlindBatchProvider(OfBatchProvider):
    """`find` as it is by default raises CannotFind, and that will do."""

    plugin = good.Blind


class TestLiveProvider(OfLiveProvider):
    """Collected by pytest as an author's would be."""


class TestSink(OfSink):
    """Collected by pytest as an author's would be."""


class TestTable(OfTable):
    """Collected by pytest as an author's would be."""


class TestObserver(OfObserver):
    """Collected by pytest as an author's would be."""


EVERY_CLASS = [OfReader, OfPromptBuilder, OfBatchProvider, OfLiveProvider, OfSink, OfTable, OfObserver]


@pytest.mark.parametrize("conformance", EVERY_CLASS)
def test_nothing_is_left_out_for_the_good_plugins(conformance: type) -> None:
    # A question that is skipped everywhere would never be seen to fail.
    assert skipped(conformance) == set()


def test_what_an_author_need_not_give_is_skipped_with_a_reason() -> None:
    class Least(samples.OfReader):
        broken = samples.ReaderConformance.broken
        large = samples.ReaderConformance.large

    assert skipped(Least) == {"test_a_broken_record_fails_alone", "test_memory_does_not_grow_with_the_file"}
    assert failed(Least) == {}


def test_an_author_who_forgot_to_write_make_is_told() -> None:
    told = failed(samples.ReaderConformance)
    assert any("make" in message for message in told.values())
