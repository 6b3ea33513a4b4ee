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
    except Exception as error:
        note_place(error)
        if _can_travel(error):
            raise
        told = _in_words(error)
    except BaseException as error:  # noqa: BLE001  # SystemExit, say, which would end the daemon
        note_place(error)
        told = _in_words(error)
    # Raised out here, the error has no __context__, which tblib, as on nodes of Dask, would pickle with it.
    raise told


def _can_travel(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, a moment old
    except Exception:  # noqa: BLE001  # it cannot be pickled, for any reason
        return False
    return True


def _in_words(error: BaseException) -> PluginError:
    told = PluginError(f"{type(error).__name__}: {error}")
    told.__cause__ = error
    note_place(told)
    told.__cause__ = None
    return told
