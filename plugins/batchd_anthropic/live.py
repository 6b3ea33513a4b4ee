"""One call a row: the request translated on its way out, the answer on its way back."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from batchd import (
    BatchdError,
    BatchesFound,
    CallKind,
    Failure,
    HttpAnswer,
    HttpCall,
    LiveAnswer,
    LiveCall,
    RejectedError,
    TransientError,
)

from .answers import STATUSES, chat_completion, error_of
from .bodies import translator
from .client import Client
from .content import Untranslatable
from .errors import RowRefused, RowTooLarge, not_json, of_answer

_ASK = HttpCall("answer a request", CallKind.ANSWER)
_HEADERS = {
    "anthropic-ratelimit-requests-limit": "x-ratelimit-limit-requests",
    "anthropic-ratelimit-tokens-limit": "x-ratelimit-limit-tokens",
}
"""The headers in which the service tells its limits, and those that batchd reads."""


async def answer(client: Client, call: LiveCall) -> LiveAnswer:
    """Ask one row. See `LiveProvider.answer`."""
    try:
        translate = translator(call.endpoint, max_tokens=client.settings.max_tokens)
    except Untranslatable as error:
        raise RejectedError(str(error)) from None
    try:
        request = translate(msgspec.json.decode(call.body))
    except Untranslatable as error:
        return LiveAnswer(failure=Failure(error.code, str(error)))
    try:
        came = await client.ask(_ASK, msgspec.json.encode(request), key=call.key)
        message = came.decoded()
        if isinstance(message, dict) and message.get("type") == "error":
            # A relay may wrap an error in a success.
            kind, _ = error_of(message)
            raise of_answer(came._replace(status=STATUSES.get(kind, 500)), _ASK, client.service)
    except RowTooLarge as error:
        return LiveAnswer(failure=Failure("too_large", str(error)))
    except RowRefused as error:
        refused = {"error": {"code": "invalid_request_error", "message": str(error)}}
        return LiveAnswer(400, msgspec.json.encode(refused))
    told = {name: came.headers[theirs] for theirs, name in _HEADERS.items() if theirs in came.headers}
    if not isinstance(message, dict):
        raise not_json(came, _ASK, client.service)
    if not isinstance(message.get("content"), list):
        raise TransientError(f"{client.service.base_url} answered without a message.", answered=True)
    return LiveAnswer(200, msgspec.json.encode(chat_completion(message)), told)


async def find_batches(client: Client) -> BatchesFound:
    """Ask for the list of batches, and for the models if there is none. Both cost nothing."""
    address = client.service.base_url
    call = HttpCall("list its batches")
    try:
        seen = await client.look(call, "messages", "batches", query={"limit": 1})
        if _is_list(seen):
            return BatchesFound(True, f"{address} lists its batches.")
        words = f"it answered with status {seen.status} when asked to list its batches"
        if seen.status in client.service.no_such_call:
            return BatchesFound(False, f"{address} has no Message Batches: {words}.")
        if seen.is_page or seen.status == 403:
            models = await client.look(HttpCall("list its models"), "models", query={"limit": 1})
            if _is_list(models):
                return BatchesFound(False, f"{address} offers models to this key, and no batches: {words}.")
        if 200 <= seen.status < 300:
            return BatchesFound(None, str(not_json(seen, call, client.service)))
        return BatchesFound(None, str(of_answer(seen, call, client.service)))
    except BatchdError as error:
        return BatchesFound(None, str(error))


def _is_list(answer: HttpAnswer) -> bool:
    body = answer.decoded() if 200 <= answer.status < 300 else None
    return isinstance(body, Mapping) and isinstance(body.get("data"), list)
