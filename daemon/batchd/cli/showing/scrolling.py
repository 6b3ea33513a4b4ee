"""A live view that may be longer than the terminal: the arrow and page keys scroll it, q ends it."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from rich.live import Live
from rich.segment import Segment

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_KEY = re.compile(r"\x1b\[[0-9;]*.|.", re.DOTALL)
_KEYS = {"\x1b[A": -1, "k": -1, "\x1b[B": 1, "j": 1}
_PAGES = {"\x1b[5~": -1, "b": -1, "\x1b[6~": 1, " ": 1}
_ENDS = {"\x1b[H": 0, "g": 0, "\x1b[F": sys.maxsize, "G": sys.maxsize}


class _Window:
    """The lines of the view that fit on the terminal, from line `first` on."""

    def __init__(self) -> None:
        self.shown: RenderableType = ""
        self.first = 0
        self.page = 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.shown, options.update(height=None), pad=False)
        height = options.max_height
        if len(lines) <= height:
            self.first = 0
        else:
            # The last line shows the position.
            self.page = max(1, height - 1)
            self.first = max(0, min(self.first, len(lines) - self.page))
            place = (
                f"lines {self.first + 1}-{self.first + self.page} of {len(lines)}; arrows and page keys scroll, q ends"
            )
            lines = [*lines[self.first : self.first + self.page], [Segment(place[: options.max_width])]]
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            yield from line


class Scrolling:
    """The view on the terminal, while the block lasts. Keys are read if standard input is a terminal, too."""

    def __init__(self) -> None:
        self._window = _Window()
        self._live = Live(self._window, auto_refresh=False, vertical_overflow="crop")
        self._before: list[Any] | None = None
        self._reads_keys = False

    def __enter__(self) -> Self:
        if sys.stdin.isatty():
            import termios
            import tty

            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
            self._reads_keys = True
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def show(self, renderable: RenderableType) -> None:
        """Show this from now on, scrolled to the same line as before."""
        self._window.shown = renderable
        self._live.refresh()

    def wait(self, seconds: float) -> bool:
        """Let the person scroll for this long. Return False once the person has ended the view."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not self._reads_keys:
                time.sleep(left)
                break
            if not select.select([sys.stdin], [], [], left)[0]:
                break
            typed = os.read(sys.stdin.fileno(), 64).decode("utf-8", "replace")
            if not typed:
                self._reads_keys = False  # end of file
                continue
            # A key that is held down may come many times in one read.
            keys = _KEY.findall(typed)
            if "q" in keys or "Q" in keys:
                return False
            self._move(keys)
        return True

    def _move(self, keys: Sequence[str]) -> None:
        window = self._window
        for key in keys:
            moved = window.first + _KEYS.get(key, 0) + _PAGES.get(key, 0) * window.page
            window.first = max(0, _ENDS.get(key, moved))
        self._live.refresh()
