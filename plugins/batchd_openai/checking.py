"""What `batchd check` says about a service: one sentence for each problem, with how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchd import CannotFind, Json, NotSent, ProviderError, RejectedError, RemoteMissing, TransientError

from .normalise import as_list, identifier
from .wire import Call, Kind

if TYPE_CHECKING:
    from .client import Client


async def check(client: Client, models: Sequence[str]) -> Sequence[str]:
    """Ask for the models and for one batch. This creates nothing and costs nothing."""
    try:
        offered = await client.get(Call("list its models"), "models")
    except (NotSent, RejectedError) as error:
        # Every other call would fail in the same way.
        return [str(error)]
    except RemoteMissing as error:
        batches = await _batches(client)
        # Some services have batches but no list of models. That is not a problem.
        return [_address(client, str(error)), *batches] if batches else []
    except TransientError as error:
        return [_address(client, str(error))]
    except ProviderError as error:
        return [str(error), *await _batches(client)]
    return [*_models(client, offered, models), *await _batches(client)]


async def _batches(client: Client) -> list[str]:
    try:
        answer = await client.get(Call("list its batches", Kind.LOOK), "batches", query={"limit": 1})
    except CannotFind as error:
        return [_no_batches(client, str(error).split(" So batchd cannot ")[0])]
    except ProviderError as error:
        return [str(error)]
    if as_list(answer) is None:
        return [_no_batches(client, "It did not return a list of batches.")]
    return []


def _no_batches(client: Client, reason: str) -> str:
    return (
        f"{client.settings.base_url} has no Batch API, or none that this key may use. {reason} "
        "Choose a service that has one."
    )


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
    offered = {name for item in listed if (name := identifier(item.get("id")))}
    # Gemini writes models/NAME in its list and takes NAME in requests.
    known = offered | {name.removeprefix("models/") for name in offered}
    has_more = isinstance(answer, Mapping) and answer.get("has_more") is True
    # Azure lists its models, but requests must name deployments, which it does not list.
    if not known or has_more or (urlsplit(base_url).hostname or "").endswith((".azure.com", ".azure.us")):
        return []
    return [_not_offered(base_url, model, known) for model in models if model not in known]


def _not_offered(base_url: str, model: str, known: set[str]) -> str:
    by_lower = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(model.lower(), by_lower, n=3)
    suggestion = f" Did you mean {' or '.join(by_lower[name] for name in close)}?" if close else ""
    return f"{base_url} does not offer the model {model} to this key.{suggestion} Correct `model` in the route."
