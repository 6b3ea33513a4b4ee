"""Asks again with the reason: shows a model its answer in the wrong form, and says what is wrong with it."""

from __future__ import annotations

from typing import Any, Self

import msgspec

MOST_SHOWN = 4_000
"""Characters of its answer that a model is shown again: enough to see the fault, and each of them is paid for."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class AnswerFault(msgspec.Struct, array_like=True, frozen=True):
    """What was answered, and what was wrong with it."""

    answer: str
    fault: str

    @classmethod
    def of(cls, answer: str, fault: str) -> Self:
        """Return the fault in the form that is stored: the answer shortened, and both as UTF-8 can encode them."""
        shown = answer if len(answer) <= MOST_SHOWN else f"{answer[:MOST_SHOWN]}…"
        return cls(storable(shown), storable(fault))

    @property
    def words(self) -> str:
        """What the model is told."""
        fault = self.fault.rstrip(".")
        return f"Your answer cannot be used: {fault}. Answer again, in the form that was asked for, with nothing else."

    def added_to(self, body: bytes) -> bytes:
        """Return the request with the answer and its fault added at the end; unchanged if it is no conversation."""
        request = _decode(body)
        key = "messages" if isinstance(request.get("messages"), list) else "input"
        said = request.get(key)
        if isinstance(said, str):
            said = [{"role": "user", "content": said}]
        if not isinstance(said, list) or not all(isinstance(each, dict) and "role" in each for each in said):
            return body
        answered = [{"role": "assistant", "content": self.answer}] if self.answer.strip() else []
        return _encode({**request, key: [*said, *answered, {"role": "user", "content": self.words}]})


def storable(text: object) -> str:
    """As text that UTF-8 can encode. An answer that was cut may end in half of a surrogate pair, which it cannot."""
    return str(text).encode("utf-8", "backslashreplace").decode()
