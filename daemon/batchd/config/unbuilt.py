"""Keys that the configuration has and this version does not implement yet.

A limit that is silently ignored is worse than none, so a config with such a key is refused until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from .toml import Document


def refuse_unbuilt(document: Document) -> None:
    """Raises ConfigError if the config needs something that this version does not do."""
    lines = [
        f"{document.path}:{document.line(keys)}: {'.'.join(keys)}: this version of batchd does not {what}; "
        "remove the line."
        for keys, what in _found(document.data)
    ]
    if lines:
        raise ConfigError("\n".join(lines))


def _found(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, table in data.get("routes", {}).items():
        if "finish_within" in table:
            yield ("routes", name, "finish_within"), "keep deadlines yet"
