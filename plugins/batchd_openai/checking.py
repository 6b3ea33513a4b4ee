"""What `batchd check` says about a service: one sentence for each problem, with how to fix it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchd import BatchesFound, HttpCall, Json, NotSent, ProviderError, RemoteMissing, TransientError, read_id

from .normalise import as_list

if TYPE_CHECKING:
    from .client import Client


async def check(
    client: Client, models: Sequence[str], *, find_batches: Callable[[], Awaitable[BatchesFound]]
) -> Sequence[str]:
    """Ask for the models. This creates nothing and costs nothing."""
    try:
        offered = await client.get(HttpCall("list its models"), "models")
    except RemoteMissing as error:
        # Some services have batches but no list of models. That is not a problem.
        return [] if (await find_batches()).there is True else [_address(client, str(error))]
    except TransientError as error:
        return [str(error)] if isinstance(error, NotSent) else [_address(client, str(error))]
    except ProviderError as error:
        return [str(error)]
    return _models(client, offered, models)


def _address(client: Client, reason: str) -> str:
    base_url = client.settings.base_url
    if urlsplit(base_url).path.strip("/"):
        return reason
    return f'{reason} base_url has no path; most services want base_url = "{base_url}/v1".'


def _models(client: Client, answer: Json, models: Sequence[str]) -> list[str]:
    base_url = client.settings.base_url
    listed = as_list(answer)
    if listed is None:
        return [_address(client, f"{base_url} did not return a list when asked to list its models.")]
    offered = {name for item in listed if (name := read_id(item.get("id")))}
    # Gemini writes models/NAME in its list and takes NAME in requests.
    known = offered | {name.removeprefix("models/") for name in offered}
    has_more = isinstance(answer, Mapping) and answer.get("has_more") is True
    # Azure lists its models, but requests must name deployments, which it does not list.
    if not known or has_more or (urlsplit(base_url).hostname or "").endswith((".azure.com", ".azure.us")):
        return []
    return client.service.not_offered(models, known)
