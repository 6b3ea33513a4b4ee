"""Ways to ask about a row: a template filled with its cells, or a request that is ready as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_prompt_builders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer `template` and `passthrough`."""
    from .passthrough import PassthroughBuilder
    from .template import TemplateBuilder

    register("template", TemplateBuilder)
    register("passthrough", PassthroughBuilder)
