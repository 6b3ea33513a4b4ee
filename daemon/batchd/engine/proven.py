"""Which ways of asking have brought an answer: until then one batch goes ahead of the others."""

from __future__ import annotations

from ..domain.routing import Route
from .context import Context


async def prove(context: Context, route: Route) -> None:
    """Requests of this route are answered."""
    recipe = route.recipe
    if recipe not in context.proven:
        await context.store.learnt.prove(recipe)
        context.proven.add(recipe)
