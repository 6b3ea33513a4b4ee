"""The lines of output and error files, as bytes."""

from __future__ import annotations

import msgspec

from ..refusals import Refusal

_encode = msgspec.json.encode

_BARE = b'{"id":"batch_req_%b","custom_id":%b,"response":{"status_code":%d,"request_id":"%b","body":%b}}'
_WITH_RESPONSE = _BARE.removesuffix(b"}") + b',"error":null}'
_ERROR = b'{"id":"batch_req_%b","custom_id":%b,"response":null,"error":{"code":%b,"message":%b}}'

REST = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "This request was not executed because the batch was cancelled.",
}
"""The messages for requests that a batch did not reach, by their error code."""


def answered(identity: bytes, custom_id: bytes, body: bytes) -> bytes:
    """The line of an answered request; `custom_id` and `body` are encoded JSON."""
    return _WITH_RESPONSE % (identity, custom_id, 200, identity, body)


def refused(identity: bytes, custom_id: bytes, refusal: Refusal) -> bytes:
    """The line of a request with an HTTP error. Status 0 has an empty body, as real services send it."""
    if refusal.status == 0:
        return _WITH_RESPONSE % (identity, custom_id, 0, b"", b"{}")
    return _WITH_RESPONSE % (identity, custom_id, refusal.status, identity, _encode(refusal.body))


def refused_without_error_field(identity: bytes, custom_id: bytes, refusal: Refusal) -> bytes:
    """The line of a request with an HTTP error, without the field `error`: only the status shows that it failed."""
    return _BARE % (identity, custom_id, refusal.status, identity, _encode(refusal.body))


def failed(identity: bytes, custom_id: bytes, code: str, message: str) -> bytes:
    """The line of a request without a response."""
    return _ERROR % (identity, custom_id, _encode(code), _encode(message))
