"""What `batchd check` says about a service: one sentence for each problem, with how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from batchd import ProviderError, RemoteMissing

from .client import Client
from .dialects import Dialect, identifier
from .refusals import Call


async def check(client: Client, dialect: Dialect, models: Sequence[str]) -> Sequence[str]:
    """List batches, which needs a valid key, then the models."""
    address = client.service.address
    try:
        await client.page(Call("list its batches"), dialect.batches, dialect.first_batches(), dialect.listed)
    except RemoteMissing as error:
        return [f"{error} It has no batches as {dialect.name} has them: correct base_url or dialect."]
    except ProviderError as error:
        return [str(error)]
    try:
        page = await client.page(Call("list its models"), "/models", {}, "data")
    except ProviderError:
        return []  # the key and the address are good, and not every service lists its models
    offered = {name for record in page.get("data", ()) if (name := identifier(record.get("id")))}
    return [_not_offered(address, model, offered) for model in models if offered and model not in offered]


def _not_offered(address: str, model: str, offered: set[str]) -> str:
    by_lower = {name.lower(): name for name in sorted(offered)}
    close = difflib.get_close_matches(model.lower(), by_lower, n=3)
    suggestion = f" Did you mean {' or '.join(by_lower[name] for name in close)}?" if close else ""
    return f"{address} does not offer the model {model} to this key.{suggestion} Correct `model` in the route."
