"""Whether the methods of a plugin are coroutines where its contract says so: `async def publish`, but `def build`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_CONTRACTS = frozenset({"batchd.contracts", "batchd.executor", "batchd.file_sink", "batchd.sinks"})


def fault_of(cls: type) -> str | None:
    """Say which method is first not as its contract has it; None if all are.

    A method that is not a function is not checked.
    """
    # By name, without an import: a command that only lists plugins does not need the contracts.
    for contract in (each for each in cls.__mro__[1:] if each.__module__ in _CONTRACTS):
        for name, wanted in vars(contract).items():
            if name.startswith("__") or not inspect.isfunction(wanted):
                continue
            given = inspect.getattr_static(cls, name, None)
            fault = _fault(name, wanted, given) if inspect.isfunction(given) else None
            if fault is not None:
                return fault
    return None


def _fault(name: str, wanted: Callable[..., Any], given: Callable[..., Any]) -> str | None:
    inner = inspect.unwrap(given)
    if inspect.iscoroutinefunction(wanted):
        if inspect.isasyncgenfunction(inner):
            return f"its method {name} contains yield: write an async def that returns"
        if not inspect.iscoroutinefunction(inner) and not _may_await(given, inner):
            return f"its method {name} is a plain def: write async def {name}, or it blocks all other work"
    elif inspect.iscoroutinefunction(inner) and name != "results":
        return f"its method {name} is async, so it would never be awaited: write a plain def"
    return None


def _may_await(given: Callable[..., Any], inner: Callable[..., Any]) -> bool:
    """Whether a plain function may return something to await: it says so, or it is made by a decorator."""
    returns = str(inspect.signature(inner).return_annotation)
    return "Awaitable" in returns or "Coroutine" in returns or given.__closure__ is not None
