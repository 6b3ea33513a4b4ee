"""The HTTP client of the SDK, with the limits of what its calls may bring."""

from __future__ import annotations

from batchd import AnswerTooLarge, BoundedAnswers

from .sdk import openai

MAX_VALUES = 400_000
"""Values of JSON, counted by what stands between them: each takes up to 25 times as much memory as in the answer."""


class BoundedClient(BoundedAnswers, openai.DefaultAioHttpClient):
    """A page of 10,000 files has about 3.5 million bytes."""

    max_answer = 8_000_000

    def judge(self, content: bytearray) -> None:
        """Count the values."""
        if content.count(b",") + content.count(b"[") + content.count(b"{") > MAX_VALUES:
            raise AnswerTooLarge(f"more than {MAX_VALUES:,} values")
