"""Any service that speaks OpenAI's Files and Batches API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_providers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the provider `openai`."""
    # Imports the settings, not the SDK: that costs 1.7 s, which only a call to the service is worth.
    from .provider import OpenAIProvider

    register("openai", OpenAIProvider)
