"""What a worker is asked to do in these tests."""

from __future__ import annotations


def ask_for_too_much(size: int) -> int:
    """More memory than any machine has, so that it is refused and not given."""
    return len(bytearray(size))
