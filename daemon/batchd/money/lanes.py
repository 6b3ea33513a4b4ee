"""Batch or live: how requests are sent to a provider, and so how they are priced."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """The database stores the value; more ways may follow."""

    BATCH = "batch"
    LIVE = "live"  # each request by itself, answered immediately
