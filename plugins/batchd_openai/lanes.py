"""Whether a service has batches, found out by lists of at most one entry, which cost nothing."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto

from batchd import BatchdError, BatchesFound

from .client import Client
from .normalise import as_list
from .translation import of_response
from .wire import UNREADABLE, Call, is_html


class Seen(Enum):
    """What a service answers when asked for one of its lists."""

    LIST = auto()
    NO_SUCH_CALL = auto()
    """It knows no such call: status 404, 405, 410 or 501."""
    PAGE = auto()
    """An HTML page, which may also come from something in between."""
    FORBIDDEN = auto()
    OTHER = auto()


_NO_SUCH_CALL = frozenset({404, 405, 410, 501})


async def find_batches(client: Client) -> BatchesFound:
    """Ask for the batches, and for the files and the models if there are none."""
    address = client.settings.base_url
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
            check = f" Check {client.service.ending} and any proxy in between." if seen is Seen.PAGE else ""
            return BatchesFound(None, models_words if models is Seen.OTHER else f"{address} {words}.{check}")
        if seen is Seen.PAGE:
            return BatchesFound(False, f"{address} has no Batch API: it {words} when asked to list its batches.")
        return BatchesFound(False, f"{address} offers models to this key, and no batches: it {words}.")
    except BatchdError as error:
        return BatchesFound(None, str(error))


async def _look(client: Client, what: str) -> tuple[Seen, str]:
    """Ask for a list. For OTHER the words are a whole sentence."""
    call = Call(f"list its {what}")
    response = await client.look(call, f"/{what}", {"limit": "1"})
    status, service = response.status_code, client.service
    words = f"answered with status {status}"
    if status in _NO_SUCH_CALL:
        return Seen.NO_SUCH_CALL, words
    if status == 403:
        return Seen.FORBIDDEN, words
    if not response.is_success:
        return Seen.OTHER, str(of_response(response, call, service))
    if is_html(response, response.content):
        return Seen.PAGE, "answered with an HTML page"
    with suppress(*UNREADABLE):
        if as_list(service.decoded(response.content)) is not None:
            return Seen.LIST, words
    words = f"{service.base_url} did not answer with a list when asked to {call.what}."
    return Seen.OTHER, f"{words} Check {service.ending} and any proxy in between."
