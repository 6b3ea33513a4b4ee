"""The provider `openai`: any service that offers OpenAI's Files and Batches API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_providers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the provider `openai`."""
    # This imports the settings, not the SDK: importing the SDK takes 1.7 s, so it waits for the first call.
    from .provider import OpenAIProvider

    register("openai", OpenAIProvider)
