"""The provider `inline`: services with the requests in the create call, or the answers in the poll or in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_providers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the provider `inline`."""
    from .provider import InlineProvider

    register("inline", InlineProvider)
