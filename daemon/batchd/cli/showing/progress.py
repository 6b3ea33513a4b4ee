"""Progress on a terminal, while the daemon works in this process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import BatchdError
from ...status.overview import Overview
from ...values import replace

if TYPE_CHECKING:
    from rich.live import Live

    from ...status.places import Places

LOOK_EVERY = 0.5


@contextmanager
def progress(places: Places) -> Iterator[None]:
    """Show on standard error what is under way, and what was finished since the block began."""
    from rich.console import Console
    from rich.live import Live

    stop = threading.Event()
    # Transient: the outcome is printed in full at the end.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        # A thread, so that the view is updated even while the event loop is busy. It only reads.
        thread = threading.Thread(target=_show, args=(live, places, time.time(), stop), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _show(live: Live, places: Places, started: float, stop: threading.Event) -> None:
    from .status_table import tables

    while not stop.wait(LOOK_EVERY):
        # The daemon reports a disk that fails for a moment.
        with contextlib.suppress(BatchdError):
            survey = Overview.take(places, ours=True)
            new = [job for job in survey.finished if (job.finished_at or 0.0) >= started]
            survey = replace(survey, finished=new, older=0)
            live.update(tables(survey, titles=("Under way", "Finished"), daemon=False), refresh=True)
