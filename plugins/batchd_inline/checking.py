"""What `batchd check` says about a service: one sentence for each problem, with how to fix it."""

from __future__ import annotations

from collections.abc import Sequence

from batchd import HttpCall, ProviderError, RemoteMissing, read_id

from .client import Client
from .dialects import Dialect


async def check(client: Client, dialect: Dialect, models: Sequence[str]) -> Sequence[str]:
    """List batches, which needs a valid key, then the models."""
    try:
        await client.page(HttpCall("list its batches"), dialect.batches, dialect.first_batches(), dialect.listed)
    except RemoteMissing as error:
        return [f"{error} It has no batches as {dialect.name} has them: correct base_url or dialect."]
    except ProviderError as error:
        return [str(error)]
    try:
        page = await client.page(HttpCall("list its models"), "/models", {}, "data")
    except ProviderError:
        return []  # the key and the address are good, and not every service lists its models
    offered = {name for record in page.get("data", ()) if (name := read_id(record.get("id")))}
    return client.service.not_offered(models, offered) if offered else []
