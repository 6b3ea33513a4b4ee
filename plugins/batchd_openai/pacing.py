"""How often calls are tried, how long the pauses are, and what is given up when."""

from __future__ import annotations

from dataclasses import dataclass

import batchd


@dataclass(frozen=True, slots=True)
class OpenAIPacing(batchd.Pacing):
    """One value, so that a test can have short pauses and low limits. Times are in seconds."""

    downloads: int = 6
    """Consecutive tries of a download without progress, once something of the file has arrived; before that, `tries`.

    After these the daemon waits before it tries again.
    """
    progress: int = 1_000_000
    """Bytes that count as progress: a file of a gigabyte may break off twenty times and still arrive."""
    max_pages: int = 2_000
    """A list with more pages has no end."""
    max_items: int = 200_000
    """Nor has one with more batches or files."""
    min_upload: float = 60.0
    """An upload may take this long, however small the file is."""
