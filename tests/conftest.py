"""For all tests."""

from __future__ import annotations

from typing import Any


def pytest_make_parametrize_id(config: Any, val: object, argname: str) -> str | None:
    """Functions as parameters by their names: their addresses differ between the processes that run tests."""
    return str(getattr(val, "__qualname__", None) or val) if callable(val) else None
