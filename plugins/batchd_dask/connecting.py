"""The connection to a scheduler."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from batchd import PluginError

from .settings import DaskSettings, parts

if TYPE_CHECKING:
    from distributed import Client

CONNECT_WITHIN = 5.0


async def connected(settings: DaskSettings, within: float = CONNECT_WITHIN) -> Client:
    """A client of the scheduler. Raises OSError if it is not there."""
    from distributed import Client

    _quiet()
    try:
        client = Client(settings.address, asynchronous=True, set_as_default=False, timeout=within, name="batchd")
    except (TypeError, ValueError) as error:
        raise PluginError(f"The executor dask cannot use the address {settings.address}: {error}") from None
    try:
        await asyncio.wait_for(client, within + 1)
    except (TypeError, RuntimeError) as error:
        await client.close(timeout=1)
        if parts(settings.address)[0] in {"tls", "wss"}:
            raise PluginError(
                f"The executor dask cannot use {settings.address}: {error}. Certificates are in the configuration of "
                "Dask: distributed.comm.tls, in a file of ~/.config/dask or in DASK_CONFIG."
            ) from None
        raise
    except BaseException:
        await client.close(timeout=1)
        raise
    return client


def said(error: BaseException) -> str:
    """What went wrong, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _quiet() -> None:
    """What Dask logs about connections is said by batchd itself, in its own log."""
    logging.getLogger("distributed").handlers.clear()
    for name in ("distributed.client", "distributed.core", "distributed.comm", "distributed.batched"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
