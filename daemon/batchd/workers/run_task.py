"""Runs a task in a worker process. The processes of every executor call `run_task`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from ..errors import PluginError
from ..plugin.blame import note_place
from .worker_plugins import prepare

TaskT = TypeVar("TaskT")
DoneT = TypeVar("DoneT")

_prepare_once = cache(prepare)


def run_task(function: Callable[[TaskT], DoneT], task: TaskT) -> DoneT:
    """Run the task in this worker process. An exception that cannot be pickled becomes a PluginError with its text."""
    _prepare_once()
    try:
        return function(task)
    except BaseException as error:
        note_place(error)
        try:
            if not isinstance(error, Exception):
                raise TypeError  # SystemExit, say, which would end the daemon
            pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, a moment old
        except Exception:  # noqa: BLE001  # it cannot be pickled, for any reason
            told = PluginError(f"{type(error).__name__}: {error}")
            told.__cause__ = error
            note_place(told)
            raise told from None
        raise
