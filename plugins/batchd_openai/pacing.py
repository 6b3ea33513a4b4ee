"""How often calls are tried, how long the pauses are, and when a call is given up."""

from __future__ import annotations

from dataclasses import dataclass

import batchd


@dataclass(frozen=True, slots=True)
class OpenAIPacing(batchd.Pacing):
    """All limits in one value, so that a test can set short pauses and low limits. Times are in seconds."""

    downloads: int = 6
    """Consecutive tries of a download without progress, once something of the file has arrived; before that, `tries`.

    After these the daemon waits before it tries again.
    """
    progress: int = 1_000_000
    """Bytes that count as progress: a file of a gigabyte may break off twenty times and still arrive."""
    max_pages: int = 2_000
    """A list with more pages is taken to be endless."""
    max_items: int = 200_000
    """A list with more batches or files is taken to be endless."""
    min_upload: float = 60.0
    """An upload may take this long, however small the file is."""
