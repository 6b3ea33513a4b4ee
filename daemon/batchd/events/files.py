"""Events about files in the folders of people."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .base import Event, count


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRemoved(Event):
    """Files that batchd had put into a folder were removed, by `[retention]`. `kept` are those changed since."""

    source: str
    folder: str
    files: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)

    @property
    def sentence(self) -> str:
        removed = f"Removed {count(len(self.files), 'file')} of {self.source} from {self.folder}, by [retention]"
        named = f": {', '.join(self.files)}." if self.files else "."
        kept = f" Changed by somebody since, so it stays: {', '.join(self.kept)}." if self.kept else ""
        return f"{removed}{named}{kept}"
