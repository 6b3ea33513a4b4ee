"""What `[plugins] disabled` leaves out: plugins, distributions and kinds, by name."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from .hooks import Role
from .sources import Origin


@dataclass(frozen=True, slots=True)
class DisabledPlugin:
    """A plugin that is not imported (`role` and `kind` are None), or one kind that it offers and nobody can use."""

    plugin: str
    distribution: str
    where: str
    role: Role | None = None
    kind: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.plugin, self.distribution.partition(" ")[0], *([self.kind] if self.kind else []))

    @property
    def sentence(self) -> str:
        of = f'the plugin "{self.plugin}" of {self.distribution or self.where}'
        if self.role is None:
            return f"{of[0].upper()}{of[1:]} is not loaded."
        return f'The {self.role.noun} "{self.kind}" of {of} is not offered.'


def disabled_origin(origin: Origin, disabled: Collection[str]) -> DisabledPlugin | None:
    """The plugin as a disabled one, None if neither its own name nor that of its distribution is in `disabled`."""
    distribution = _normal(origin.distribution.partition(" ")[0])
    if origin.name in disabled or (distribution and distribution in map(_normal, disabled)):
        return DisabledPlugin(origin.name, origin.distribution, origin.where)
    return None


def _normal(name: str) -> str:
    """A distribution's name as package indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()
