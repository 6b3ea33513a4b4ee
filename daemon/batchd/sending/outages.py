"""Since when providers do not take what waits for them: they are down, or refuse the account or the model.

In memory, by a clock that never jumps: after a restart the time counts from the first failure on.
"""

from __future__ import annotations

from collections.abc import Collection

from .accounts import Place


class Outages:
    """The places, provider and model, that are out now, and since when."""

    def __init__(self) -> None:
        self._since: dict[Place, float] = {}

    def note(self, out: Collection[Place], *, steady: float) -> None:
        """These are out now, and no others."""
        self._since = {place: self._since.get(place, steady) for place in out}

    def since(self, place: Place) -> float | None:
        """Since when the place is out (steady seconds); None if it is not."""
        return self._since.get(place)
