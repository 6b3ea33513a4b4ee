"""Prompt builders: a template filled with the cells of a row, or rows that are complete requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_prompt_builders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer `template`, `embedding` and `passthrough`."""
    from .embedding import EmbeddingBuilder
    from .passthrough import PassthroughBuilder
    from .template import TemplateBuilder

    register("template", TemplateBuilder)
    register("embedding", EmbeddingBuilder)
    register("passthrough", PassthroughBuilder)
