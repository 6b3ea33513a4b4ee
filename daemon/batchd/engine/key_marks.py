"""Whether a provider's key was changed since a refusal: marks of keys, in memory alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import BatchdError
from ..settings import Secret
from .context import Context


def key_mark(context: Context, provider: str) -> str:
    """A mark of the secrets that a provider's settings name now; another one once a key was replaced."""
    configured = context.configured.providers.get(provider)
    settings = getattr(configured.plugin, "settings", None) if configured is not None else None
    digest = hashlib.sha256()
    for secret in _secrets(settings):
        try:
            digest.update(secret.reveal().encode() + b"\0")
        except (BatchdError, OSError):
            digest.update(b"cannot be read\0")
    return digest.hexdigest()


def _secrets(value: Any) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item)
    elif hasattr(value, "model_fields_set"):
        yield from _secrets(dict(value))
