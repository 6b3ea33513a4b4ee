"""Prompt builders: a template filled with the cells of a row, or rows that are complete requests."""

from __future__ import annotations

from batchd import Register, hookimpl


@hookimpl
def register_prompt_builders(register: Register) -> None:
    """Offer `template`, `embedding` and `passthrough`."""
    from .embedding import EmbeddingBuilder
    from .passthrough import PassthroughBuilder
    from .template import TemplateBuilder

    register("template", TemplateBuilder)
    register("embedding", EmbeddingBuilder)
    register("passthrough", PassthroughBuilder)
