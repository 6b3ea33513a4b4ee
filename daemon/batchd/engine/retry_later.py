"""Not a fault: something that is to be looked at again after a pause."""

from __future__ import annotations


class RetryLater(Exception):
    """Nothing is wrong; the same is to be asked again after `pause` seconds. Meanwhile people are told the `text`."""

    def __init__(self, pause: float, text: str | None = None) -> None:
        super().__init__(pause)
        self.pause = pause
        self.text = text
