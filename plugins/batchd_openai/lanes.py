"""Whether a service has batches, found out by lists of at most one entry, which cost nothing."""

from __future__ import annotations

from enum import Enum, auto

from batchd import BatchdError, BatchesFound

from .live import LiveClient
from .normalise import as_list
from .wire import UNREADABLE


class Seen(Enum):
    """What a service answers when asked for one of its lists."""

    LIST = auto()
    NO_SUCH_CALL = auto()
    """It knows no such call: status 404, 405, 410 or 501."""
    PAGE = auto()
    """An HTML page, which may also come from something in between."""
    FORBIDDEN = auto()
    OTHER = auto()


async def find_batches(client: LiveClient) -> BatchesFound:
    """Ask for the batches, and for the files and the models if there are none."""
    address = client.address
    try:
        seen, words = await _look(client, "batches")
        if seen is Seen.LIST:
            return BatchesFound(True, f"{address} lists its batches.")
        if seen is Seen.OTHER:
            return BatchesFound(None, words)
        if seen is Seen.NO_SUCH_CALL:
            files, _ = await _look(client, "files")
            if files is Seen.LIST:
                # Some services take batches and cannot list them. Live calls would cost twice as much.
                return BatchesFound(None, f"{address} {words} when asked to list its batches, and lists files.")
            return BatchesFound(False, f"{address} has no Batch API: it {words} when asked to list its batches.")
        models, models_words = await _look(client, "models")
        if models is not Seen.LIST:
            check = f" Check {client.service.to_check} and any proxy in between." if seen is Seen.PAGE else ""
            return BatchesFound(None, models_words if models is Seen.OTHER else f"{address} {words}.{check}")
        if seen is Seen.PAGE:
            return BatchesFound(False, f"{address} has no Batch API: it {words} when asked to list its batches.")
        return BatchesFound(False, f"{address} offers models to this key, and no batches: it {words}.")
    except BatchdError as error:
        return BatchesFound(None, str(error))


async def _look(client: LiveClient, what: str) -> tuple[Seen, str]:
    """Ask for a list. For OTHER the words are a whole sentence."""
    status, told, body = reply = await client.get(f"/{what}", {"limit": "1"})
    words = f"answered with status {status}"
    if status in client.service.no_such_call:
        return Seen.NO_SUCH_CALL, words
    if status == 403:
        return Seen.FORBIDDEN, words
    if 200 <= status < 300:
        if "html" in told.get("content-type", "").lower() or body.lstrip()[:1] == b"<":
            return Seen.PAGE, "answered with an HTML page"
        if _is_list(client, body):
            return Seen.LIST, words
        words = f"{client.address} did not answer with a list when asked to list its {what}."
        return Seen.OTHER, f"{words} Check {client.service.to_check} and any proxy in between."
    return Seen.OTHER, client.in_words(reply, f"list its {what}")


def _is_list(client: LiveClient, body: bytes) -> bool:
    try:
        return as_list(client.service.decoded(body)) is not None
    except UNREADABLE:
        return False
