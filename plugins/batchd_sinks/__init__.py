"""Sinks that put results elsewhere than into the outbox: a SQLite file, a PostgreSQL table, another program by HTTP."""

from __future__ import annotations

from batchd import Register, hookimpl


@hookimpl
def register_sinks(register: Register) -> None:
    """Offer the sinks `postgres`, `sqlite` and `webhook`."""
    from .postgres_sink import PostgresSink
    from .sqlite_sink import SqliteSink
    from .webhook_sink import WebhookSink

    register("postgres", PostgresSink)
    register("sqlite", SqliteSink)
    register("webhook", WebhookSink)
