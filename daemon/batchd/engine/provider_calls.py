"""What the calls to a provider share: which provider, waiting until it is open, what it is told."""

from __future__ import annotations

import asyncio

from ..contracts import RemoteBatch, Submission
from ..domain.records import Batch
from .context import Configured, ConfiguredProvider, Context


class ProviderNotConfigured(Exception):
    """The config has no such provider (any more); what needs it waits."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The configuration has no [providers.{name}] any more, and jobs under way need it. "
            "Put it back and reload, or cancel those jobs."
        )
        self.name = name


def provider_for(configured: Configured, name: str) -> ConfiguredProvider:
    """The configured provider."""
    try:
        return configured.providers[name]
    except KeyError:
        raise ProviderNotConfigured(name) from None


async def open_provider(context: Context, name: str) -> ConfiguredProvider:
    """The configured provider, once it has made itself ready: no call is made to it before."""
    configured = context.configured
    provider = provider_for(configured, name)
    opening = configured.opening.get(name)
    if opening is not None:
        await asyncio.wait([opening])
    return provider


def submission(
    context: Context, batch: Batch, provider: ConfiguredProvider, *, attempt: int | None = None
) -> Submission:
    """The batch as it is described to the provider that is to have it."""
    return Submission(
        key=batch.key,
        file=context.spool.batch_input(batch.key),
        requests=batch.requests,
        size=batch.size,
        model=batch.model,
        endpoint=batch.endpoint,
        attempt=batch.uploads if attempt is None else attempt,
        upload=batch.upload,
        timeout=provider.create_timeout,
    )


def remote_of(batch: Batch) -> RemoteBatch:
    """The batch as the provider knows it."""
    assert batch.remote is not None
    return RemoteBatch(batch.remote, batch.key, batch.details)
