"""Tests as plugin authors write them: a class that inherits from the kit. Plugins of ten lines pass them all."""

from __future__ import annotations

import pytest

from . import good_plugins as good
from . import samples
from .kit_results import failed, skipped
from .samples import (
    OfBatchProvider,
    OfCommand,
    OfExecutor,
    OfLiveProvider,
    OfObserver,
    OfPromptBuilder,
    OfReader,
    OfSink,
    OfTable,
)


class TestReader(OfReader):
    """Collected by pytest like the class of a plugin author."""


class TestPromptBuilder(OfPromptBuilder):
    """Collected by pytest like the class of a plugin author."""


class TestBatchProvider(OfBatchProvider):
    """Collected by pytest like the class of a plugin author."""


class TestBlindBatchProvider(OfBatchProvider):
    """The default `find` raises CannotFind, which is allowed."""

    plugin = good.Blind


class TestLiveProvider(OfLiveProvider):
    """Collected by pytest like the class of a plugin author."""


class TestSink(OfSink):
    """Collected by pytest like the class of a plugin author."""


class TestTable(OfTable):
    """Collected by pytest like the class of a plugin author."""


class TestObserver(OfObserver):
    """Collected by pytest like the class of a plugin author."""


class TestExecutor(OfExecutor):
    """Collected by pytest like the class of a plugin author."""


class TestCommand(OfCommand):
    """Collected by pytest like the class of a plugin author."""


EVERY_CLASS = [OfReader, OfPromptBuilder, OfBatchProvider, OfLiveProvider, OfSink, OfTable, OfObserver, OfExecutor]


@pytest.mark.slow
@pytest.mark.parametrize("conformance", EVERY_CLASS)
def test_nothing_is_left_out_for_the_good_plugins(conformance: type) -> None:
    # A test that is always skipped would never be seen to fail.
    assert skipped(type(conformance.__name__, (conformance,), {"rows_to_compare": (20, 200)})) == set()


@pytest.mark.slow
def test_without_optional_samples_tests_are_skipped_with_a_reason() -> None:
    class Least(samples.OfReader):
        broken = samples.ReaderConformance.broken
        large = samples.ReaderConformance.large

    assert skipped(Least) == {"test_a_broken_record_fails_alone", "test_memory_does_not_grow_with_the_file"}
    assert failed(Least) == {}


def test_a_missing_make_is_reported() -> None:
    messages = failed(samples.ReaderConformance)
    assert any("make" in message for message in messages.values())
