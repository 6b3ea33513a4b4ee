"""A daemon in a folder that asks a live service of a few lines, or the sandbox without batches over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from batchd import LiveAnswer, LiveCall, LiveProvider, Result, Settings

from ..engine.conftest import make_household as make_household

Behaviour = Callable[[str, int], Any]
"""Of the text of a row, and how often it was asked before: what `answer` returns or raises."""


def said(text: str = "fine") -> LiveAnswer:
    """A whole answer."""
    body = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return LiveAnswer(200, json.dumps(body).encode())


class LiveService(LiveProvider[Settings]):
    """Answers each row, or does what the test says. `asked` has the rows in order, `keys` the keys of each row."""

    def __init__(self, behave: Behaviour = lambda text, before: said(f"answer to {text}")) -> None:
        super().__init__(Settings())
        self.behave = behave
        self.asked: list[str] = []
        self.keys: dict[str, list[str]] = {}
        self.in_flight = self.most_in_flight = 0
        self.gate: Callable[[], Awaitable[Any]] | None = None

    async def answer(self, call: LiveCall) -> LiveAnswer:
        text = json.loads(call.body)["messages"][-1]["content"]
        before = Counter(self.asked)[text]
        self.asked.append(text)
        self.keys.setdefault(text, []).append(call.key)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await (self.gate() if self.gate is not None else asyncio.sleep(0))
            outcome = self.behave(text, before)
        finally:
            self.in_flight -= 1
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, LiveAnswer)
        return outcome

    async def complete(self, custom_id: str, body: Any, *, endpoint: str) -> Result:
        raise AssertionError("batchd calls answer")
