"""What all calls to a provider share: finding it, waiting until it is open, describing the batch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ..contracts import RemoteBatch, Submission
from ..domain.records import Batch
from ..domain.subjects import Subject
from ..errors import TransientError
from ..plugin.absent import PluginOff
from ..system.threads import threads_of
from ..values import replace
from .context import Configured, ConfiguredProvider, Context
from .provider_border import GuardedProvider


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


SLOWEST_UPLOAD, SLOWEST_DOWNLOAD = 5_000, 1_000
"""Bytes per second. A transfer that is slower, on the whole, is ended."""
LISTING_MAY_TAKE = 600.0
"""Seconds more than another call: a list may have thousands of pages."""
LOOK_EVERY = 1.0


class TookTooLong(TransientError):
    """A call to a provider took longer than it may in all, even if data kept coming."""


async def open_provider(context: Context, name: str) -> ConfiguredProvider:
    """Return the configured provider, guarded by the border, once it has made itself ready for calls."""
    configured = context.configured
    provider = provider_for(configured, name)
    if (why := configured.kept_off.get(Subject.provider(name))) is not None:
        raise PluginOff(why)
    opening = configured.opening.get(name)
    if opening is not None:
        await asyncio.wait([opening], timeout=provider.call_timeout)
        if not opening.done():
            raise TookTooLong(
                f"The provider {name} has not made itself ready within {provider.call_timeout:.0f} s (its plugin's "
                "aopen)."
            )
    live = None if provider.live is None else GuardedProvider(provider.live)
    return replace(provider, plugin=GuardedProvider(provider.plugin), live=live)


@asynccontextmanager
async def limited(
    provider: ConfiguredProvider, what: str, *, more: float = 0.0, arrived: Callable[[], int] | None = None
) -> AsyncIterator[None]:
    """Limit a call to the provider to its call_timeout and `more` seconds. The call has threads of its own.

    A limit on silence is not enough: one byte a second would keep a call going for days. With `arrived`, which says how
    many bytes have come, the call may take longer as they come.
    """
    seconds = provider.call_timeout + more
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with contextlib.AsyncExitStack() as leaving:
        leaving.enter_context(threads_of(f"provider {provider.name}"))
        try:
            async with asyncio.timeout(seconds) as limit:
                if arrived is not None:

                    async def extend() -> None:
                        while True:
                            limit.reschedule(begun + seconds + arrived() / SLOWEST_DOWNLOAD)
                            await asyncio.sleep(LOOK_EVERY)

                    leaving.callback(asyncio.create_task(extend(), name="watch a download").cancel)
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TookTooLong(
                f"{provider.name} was asked to {what} and was not done after {loop.time() - begun:.0f} s, so the call "
                "was ended (call_timeout)."
            ) from error


def submission(
    context: Context, batch: Batch, provider: ConfiguredProvider, *, attempt: int | None = None
) -> Submission:
    """Describe the batch for the provider that is to have it."""
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
        create_key=batch.create_key,
        rows_key=batch.rows_key or "",
    )


def remote_of(batch: Batch) -> RemoteBatch:
    """The batch as the provider knows it."""
    assert batch.remote is not None
    return RemoteBatch(batch.remote, batch.key, batch.details)
