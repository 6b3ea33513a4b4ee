"""Marks of providers' keys, in memory only: they show whether a key was changed since a refusal."""

from __future__ import annotations

import hashlib

from ..errors import BatchdError
from ..secrets.references import secrets_in
from .context import Context


def key_mark(context: Context, provider: str) -> str:
    """A hash of the secrets that a provider's settings name now; it differs once a key was replaced."""
    configured = context.configured.providers.get(provider)
    settings = getattr(configured.plugin, "settings", None) if configured is not None else None
    digest = hashlib.sha256()
    for secret in secrets_in(settings):
        try:
            digest.update(secret.reveal().encode() + b"\0")
        except (BatchdError, OSError):
            digest.update(b"cannot be read\0")
    return digest.hexdigest()
