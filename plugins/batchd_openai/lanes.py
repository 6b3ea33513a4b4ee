"""Finds out whether a service has batches. Asks for lists of at most one entry, which costs nothing."""

from __future__ import annotations

from typing import Literal

from batchd import BatchdError, BatchesFound

from .live import LiveClient
from .normalise import as_list
from .wire import UNREADABLE

Seen = Literal["list", "no such call", "page", "forbidden", "other"]
"""What a service answers when asked for one of its lists: status 404, 405, 410 or 501 means that there is no such call,
and an HTML page may also come from something in between."""


async def find_batches(client: LiveClient) -> BatchesFound:
    """Ask for the batches, and for the files and the models if there are none."""
    address = client.address
    try:
        seen, words = await _look(client, "batches")
        if seen == "list":
            return BatchesFound(True, f"{address} lists its batches.")
        if seen == "other":
            return BatchesFound(None, words)
        if seen == "no such call":
            files, _ = await _look(client, "files")
            if files == "list":
                # Some services take batches and cannot list them. Live calls would cost twice as much.
                return BatchesFound(None, f"{address} {words} when asked to list its batches, and lists files.")
            return BatchesFound(False, f"{address} has no Batch API: it {words} when asked to list its batches.")
        models, models_words = await _look(client, "models")
        if models != "list":
            check = f" Check {client.service.to_check} and any proxy in between." if seen == "page" else ""
            return BatchesFound(None, models_words if models == "other" else f"{address} {words}.{check}")
        if seen == "page":
            return BatchesFound(False, f"{address} has no Batch API: it {words} when asked to list its batches.")
        return BatchesFound(False, f"{address} offers models to this key, and no batches: it {words}.")
    except BatchdError as error:
        return BatchesFound(None, str(error))


async def _look(client: LiveClient, what: str) -> tuple[Seen, str]:
    """Ask for a list. For "other" the words are a whole sentence."""
    reply = await client.get(f"/{what}", {"limit": "1"})
    status = reply.status
    words = f"answered with status {status}"
    if status in client.service.no_such_call:
        return "no such call", words
    if status == 403:
        return "forbidden", words
    if 200 <= status < 300:
        if reply.is_page:
            return "page", "answered with an HTML page"
        if _is_list(client, reply.body):
            return "list", words
        words = f"{client.address} did not answer with a list when asked to list its {what}."
        return "other", f"{words} Check {client.service.to_check} and any proxy in between."
    return "other", client.in_words(reply, f"list its {what}")


def _is_list(client: LiveClient, body: bytes) -> bool:
    try:
        return as_list(client.service.decoded(body)) is not None
    except UNREADABLE:
        return False
