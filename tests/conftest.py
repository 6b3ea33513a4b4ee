"""For all tests."""

from __future__ import annotations

import signal
from typing import Any

# A run that was started in the background may have been told to ignore this, and every process that it starts would
# too: those that are to end by it would run for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(config: Any, val: object, argname: str) -> str | None:
    """Functions as parameters by their names: their addresses differ between the processes that run tests."""
    return str(getattr(val, "__qualname__", None) or val) if callable(val) else None
