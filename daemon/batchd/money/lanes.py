"""How a provider is asked, and so paid."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """A column of the database holds the name: others will come."""

    BATCH = "batch"
    LIVE = "live"  # each request by itself, answered at once
