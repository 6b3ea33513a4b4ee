"""Tells from a name and a value whether a text in a configuration is a secret."""

from __future__ import annotations

import re
from itertools import pairwise

from .masking import mask

REFERENCES = ("env:", "file:", "credential:")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NAMES = {
    "apikey", "auth", "authorization", "authentication", "bearer", "cookie", "cookies", "credential", "credentials",
    "dsn", "jwt", "key", "passphrase", "passwd", "password", "pat", "pwd", "secret", "secrets", "session", "sig",
    "signature", "token",
}  # fmt: skip
_NO_SECRETS = {"cache", "counter", "idempotency", "limit", "max", "min", "name", "partition", "public", "sort", "type"}
"""With one of these words, a name is not that of a secret: `Idempotency-Key`, `max_token`."""
_CHUNK = re.compile(r"[A-Za-z0-9+]{16,}={0,2}")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")


def is_secret(name: str, value: str) -> bool:
    """Whether a text of this name is a secret, by the name's words or by how the value looks; a reference is none."""
    return bool(value.strip()) and not value.startswith(REFERENCES) and (names_secret(name) or value_is_secret(value))


def names_secret(name: str) -> bool:
    """Whether something of this name usually is a secret: `X-Api-Key`, `Cookie`, `authToken`, but not `X-Author`."""
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _NAMES) and not words & _NO_SECRETS


def value_is_secret(value: str) -> bool:
    """Whether a text looks like a key: by its beginning, or as a long run of letters and digits that is no word."""
    if mask(value) != value or _UUID.search(value):
        return True
    return any(_is_random(chunk) for chunk in _CHUNK.findall(value))


def _is_random(chunk: str) -> bool:
    digits = sum(each.isdigit() for each in chunk)
    changes = sum(one.isdigit() != two.isdigit() for one, two in pairwise(chunk))
    return 0 < digits < len(chunk) and changes >= 3
