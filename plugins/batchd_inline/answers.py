"""Writes the answers of a batch as output lines while they arrive."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import IO

from .client import Items
from .splitter import Item, TooLarge

MAX_ANSWERS = 1_000_000
"""A batch with more answers is taken to be endless."""


class Writer:
    """Writes a line for each item, and removes the lines of a page that broke off."""

    def __init__(self, target: IO[bytes], line: Callable[[Item], bytes | None]) -> None:
        self._target, self._line = target, line
        self._start, self._kept, self._here = target.tell(), 0, 0

    @property
    def written(self) -> int:
        """How many answers are written."""
        return self._kept + self._here

    def items(self, lists: Collection[str]) -> Items:
        """Return what writes the answers of the next page."""
        return Items(lists, self._write, self._again)

    def keep(self) -> None:
        """Keep the lines of this page, which is complete."""
        self._start, self._kept, self._here = self._target.tell(), self.written, 0

    def _again(self) -> None:
        self._target.seek(self._start)
        self._target.truncate()
        self._here = 0

    def _write(self, item: Item) -> None:
        line = self._line(item)
        if line is None:
            return
        self._here += 1
        if self.written > MAX_ANSWERS:
            raise TooLarge(f"more than {MAX_ANSWERS:,} answers")
        self._target.write(line + b"\n")
