"""Looks for a batch whose creation was not confirmed.

The service's list says how many requests a batch has, but not whose it is or what it holds. The results tell the rest,
once the batch has ended: each custom_id begins with the key of its batch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from batchd import CallKind, CannotFind, HttpCall, Json, NotKnownYet, RemoteMissing, Submission

from .answers import SEPARATOR
from .client import Client

PAGE = 1_000
MAX_PAGES = 500
_MAX_LINE = 64_000_000
_LIST = HttpCall("list its batches", CallKind.LOOK)


async def find(
    client: Client, submission: Submission, keys: dict[str, str | None], total_of: Callable[[Mapping[str, Json]], int]
) -> list[str]:
    """The ids of all batches of this submission, oldest first.

    `keys` maps each batch that is known to its key, or to None if it has none of ours. `find` adds what it learns.
    """
    found: list[str] = []
    untold = 0
    async for record in _listed(client):
        remote = str(record.get("id"))
        if remote not in keys:
            if total_of(record) != submission.requests or record.get("archived_at"):
                continue
            if record.get("processing_status") != "ended":
                untold += 1
                continue
            keys[remote] = await _key_of(client, remote)
        if keys[remote] == submission.key:
            found.append(remote)
    if untold and not found:
        raise NotKnownYet(
            f"It is not known yet whether {client.service.base_url} has created batch {submission.key}: what a batch "
            f"holds shows only at its end, and {untold} of the same size {'is' if untold == 1 else 'are'} under way."
        )
    # The list has the newest first.
    return found[::-1]


async def _listed(client: Client) -> AsyncIterator[Mapping[str, Json]]:
    """Every batch in the list, each once. Raises CannotFind if the service does not list all of them."""
    query: dict[str, str | int] = {"limit": PAGE}
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        answer = await client.get(_LIST, "messages", "batches", query=query)
        listed = answer.get("data")
        if not isinstance(listed, list):
            raise CannotFind(f"{client.service.base_url} did not return a list when asked to list its batches.")
        fresh = [each for each in listed if isinstance(each, dict) and each.get("id") and str(each["id"]) not in seen]
        for record in fresh:
            yield record
        seen.update(str(each["id"]) for each in fresh)
        if answer.get("has_more") is not True:
            return
        if not fresh:
            break
        query = {"limit": PAGE, "after_id": str(answer.get("last_id") or fresh[-1]["id"])}
    raise CannotFind(
        f"{client.service.base_url} says that it has more batches, but does not list them. So batchd cannot look "
        "through all of them."
    )


async def _key_of(client: Client, remote: str) -> str | None:
    """The key in the first result that can be read; None if there is no such result, or no key in it."""
    begun = b""
    try:
        call = HttpCall(f"send the results of the batch {remote}")
        async with client.streaming(call, "messages", "batches", remote, "results") as chunks:
            async for chunk in chunks:
                *lines, begun = (begun + chunk).split(b"\n")
                for line in lines:
                    if (key := _key_in(line)) is not None:
                        return key or None
                if len(begun) > _MAX_LINE:
                    return None
    except RemoteMissing:
        return None  # its results were deleted since the list was read
    return _key_in(begun) or None


def _key_in(line: bytes) -> str | None:
    """The key in a line; empty if there is none in its custom_id, None if it cannot be read."""
    try:
        custom_id = msgspec.json.decode(line)["custom_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    key, separator, _ = str(custom_id).partition(SEPARATOR)
    return key if separator else ""
