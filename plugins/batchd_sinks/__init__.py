"""Sinks that put results elsewhere than into the outbox: a SQLite file, a PostgreSQL table, another program by HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_sinks(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the sinks `postgres`, `sqlite` and `webhook`."""
    from .postgres_sink import PostgresSink
    from .sqlite_sink import SqliteSink
    from .webhook_sink import WebhookSink

    register("postgres", PostgresSink)
    register("sqlite", SqliteSink)
    register("webhook", WebhookSink)
