"""`batchd` and `python -m batchd`.

Worker processes import this module again, so the import itself must do nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading


def main() -> int:
    """Run the command line; return the exit status."""
    status = _run()
    if all(each.daemon or each is threading.main_thread() for each in threading.enumerate()):
        _end(status)
    return status


def _end(status: int) -> None:
    """End this process as Python does, but leave its memory to the system: freeing each object takes 0.13 s."""
    atexit._run_exitfuncs()  # noqa: SLF001  # as Python does it
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _run() -> int:
    # Imports make 300,000 objects that stay. By default Python searches them for cycles after every 700 new ones, which
    # takes a sixth of the time. A daemon that has started searches more often.
    gc.set_threshold(400_000)
    try:
        from .cli.ending import run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
