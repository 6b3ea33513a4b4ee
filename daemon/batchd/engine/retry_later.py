"""Not a fault: an action that is to be tried again after a pause."""

from __future__ import annotations


class RetryLater(Exception):
    """Nothing is wrong; the action is tried again after `pause` seconds. Meanwhile people are told `text`, if any."""

    def __init__(self, pause: float, text: str | None = None) -> None:
        super().__init__(pause)
        self.pause = pause
        self.text = text
