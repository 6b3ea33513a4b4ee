"""A task in a worker process: what every executor has its processes call."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from ..errors import PluginError
from .worker_plugins import prepare

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")

_prepare_once = cache(prepare)


def run_task(function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
    """Run it in this worker process. What a plugin raises may not survive the way back; then its words do."""
    _prepare_once()
    try:
        return function(task)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, a moment old
        except Exception:  # noqa: BLE001  # whatever is wrong with it, it cannot travel
            raise PluginError(f"{type(error).__name__}: {error}") from None
        raise
