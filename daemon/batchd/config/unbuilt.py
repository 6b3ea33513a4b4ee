"""Keys that the configuration knows and this version does not keep yet.

A limit that is silently not kept is worse than none, so they are refused until they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError
from .toml import Document


def refuse_unbuilt(document: Document) -> None:
    """ConfigError if the config relies on something that this version does not do."""
    lines = [
        f"{document.path}:{document.line(keys)}: {'.'.join(keys)}: this version of batchd does not {what}; "
        "remove the line."
        for keys, what in _found(document.data)
    ]
    if lines:
        raise ConfigError("\n".join(lines))


def _found(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, table in data.get("providers", {}).items():
        if table.get("mode") == "live":
            yield ("providers", name, "mode"), "make live calls yet"
    for name, table in data.get("routes", {}).items():
        if "finish_within" in table:
            yield ("routes", name, "finish_within"), "keep deadlines yet"
