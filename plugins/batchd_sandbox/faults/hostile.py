"""Answers of a hostile service or proxy: redirects, data that unpacks to a lot, a message that repeats the key."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from functools import cache

from aiohttp import web

from ..calls.context import answer

_BOMB = 100_000_000
_MANY, _LONG = 1_000_000, 50_000_000


def redirect(request: web.Request) -> web.Response:
    """Redirect to the same path at another name of this machine, which is another origin."""
    elsewhere = "localhost" if request.url.host != "localhost" else "127.0.0.1"
    return web.Response(status=307, headers={"Location": str(request.url.with_host(elsewhere))})


def bomb(_: web.Request) -> web.Response:
    """Answer with little gzip data that unpacks to 100 MB."""
    return _json(_packed(), headers={"Content-Encoding": "gzip"})


@cache
def _packed() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    piece = b"x" * 1_000_000
    packed = [packer.compress(b'{"id":"')]
    packed += [packer.compress(piece) for _ in range(_BOMB // len(piece))]
    packed.append(packer.flush())
    return b"".join(packed)


def echo(request: web.Request) -> web.Response:
    """Answer with an error that repeats the caller's key, as it is and in other forms."""
    key = request.headers.get("Authorization", "").partition(" ")[2].strip()
    escaped = "".join(f"\\u{ord(each):04x}" for each in key)
    message = f"Your key {key} is fine, also as {escaped} and {base64.b64encode(key.encode()).decode()}."
    return answer({"error": {"message": message, "type": "invalid_request_error", "code": None}}, 400)


def _json(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")


HOSTILE: Mapping[str, Callable[[web.Request], web.Response]] = {
    "redirect": redirect,
    "bomb": bomb,
    "echo": echo,
    "digits": lambda _: _json(b'{"id":' + b"9" * _MANY + b"}"),
    "crowd": lambda _: _json(b'{"object":"list","data":[' + b'{"id":"a"},' * _MANY + b'{"id":"a"}],"has_more":false}'),
    "nested": lambda _: _json(b'{"id":' + b"[" * _MANY + b"]" * _MANY + b"}"),
    "long-error": lambda _: _json(
        b'{"error":{"message":"' + b"No. " * (_LONG // 4) + b'","type":"server_error"}}', status=500
    ),
    "long-header": lambda _: _json(b'{"id":"a"}', headers={"X-Words": "x" * _MANY}),
}
"""The answer for each kind of fault. `table.FAULTS` describes them."""
