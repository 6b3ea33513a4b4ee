"""Putting all questions of the conformance kit to one plugin, and seeing which it fails."""

from __future__ import annotations

from typing import Any
from unittest import SkipTest

from batchd.testing.conformance_shared import PluginConformance


def failed(conformance: type[PluginConformance]) -> dict[str, str]:
    """The tests that this class fails, with what they say."""
    told = {}
    for name in dir(conformance):
        if name.startswith("test_"):
            one: Any = conformance()
            try:
                getattr(one, name)()
            except SkipTest:
                pass
            except Exception as error:
                told[name] = f"{type(error).__name__}: {error}"
            finally:
                one.teardown_method()
    return told


def skipped(conformance: type[PluginConformance]) -> set[str]:
    """The tests that this class has nothing to ask with."""
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
