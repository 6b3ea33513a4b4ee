"""The process that forks the workers. It imports once for all of them, and has no threads."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

_TASKS = ("reading.read", "planning.plan", "planning.split", "collecting.collect", "collecting.fail_rows")
_FOR_NEARLY_EVERY_FILE = ("batchd.workers.run_task", "batchd.delivery.report_html", "jinja2.sandbox")
PRELOADED = ["batchd.workers.preloading", *(f"batchd.work.{task}" for task in _TASKS), *_FOR_NEARLY_EVERY_FILE]
"""Named, not imported: the code that runs tasks knows none of them."""


def fork_server() -> ForkServerContext:
    """The context in which this process forks the workers."""
    # A fork with threads is unsafe, so a process without threads forks the workers. It imports once for all of them.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def start_fork_server() -> None:
    """Start the process that forks the workers, so that its imports run before a command needs them.

    It and the workers ignore the hang-up of a terminal and Ctrl-C there: the daemon ends them in good order.
    """
    fork_server()
    # A process inherits which signals are ignored. Without this it would print a traceback while it imports.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGINT)}
    try:
        forkserver.ensure_running()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
