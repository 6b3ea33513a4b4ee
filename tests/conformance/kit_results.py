"""Runs all tests of a conformance class, and reports which of them fail or are skipped."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

from batchd.testing.conformance.plugin import PluginConformance


def failed(conformance: type[PluginConformance]) -> dict[str, str]:
    """The tests that this class fails, with their messages."""
    raised = _raised(conformance)
    return {name: f"{type(error).__name__}: {error}" for name, error in raised.items() if not _is_skip(error)}


def skipped(conformance: type[PluginConformance]) -> set[str]:
    """The tests that are skipped, since this class has no samples for them."""
    return {name for name, error in _raised(conformance).items() if _is_skip(error)}


def _is_skip(error: Exception) -> bool:
    return isinstance(error, SkipTest)


def _raised(conformance: type[PluginConformance]) -> dict[str, Exception]:
    raised: dict[str, Exception] = {}
    for name in dir(conformance):
        if name.startswith("test_"):
            one: Any = conformance()
            try:
                getattr(one, name)()
            except Exception as error:
                raised[name] = error
            finally:
                one.teardown_method()
    return raised
