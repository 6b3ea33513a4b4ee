"""Runs all tests of a conformance class, and reports which of them fail or are skipped."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

from batchd.testing.conformance.plugin import PluginConformance


def failed(conformance: type[PluginConformance]) -> dict[str, str]:
    """The tests that this class fails, with their messages."""
    messages = {}
    for name in dir(conformance):
        if name.startswith("test_"):
            one: Any = conformance()
            try:
                getattr(one, name)()
            except SkipTest:
                pass
            except Exception as error:
                messages[name] = f"{type(error).__name__}: {error}"
            finally:
                one.teardown_method()
    return messages


def skipped(conformance: type[PluginConformance]) -> set[str]:
    """The tests that are skipped, since this class has no samples for them."""
    names = set()
    for name in dir(conformance):
        if name.startswith("test_"):
            one: Any = conformance()
            try:
                getattr(one, name)()
            except SkipTest:
                names.add(name)
            except Exception:
                continue
            finally:
                one.teardown_method()
    return names
