"""The keys of batches, each of which follows from the one before it, and a digest of the rows that a batch asks about.

With these, a daemon that runs on an older copy of its state finds the batches created after that copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from .records import Part

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, as ids are written."""


def following(key: str) -> str:
    """Return the key that comes after this one.

    >>> following("k3j9x2ab"), following("k3j9x2zz"), following("zz")
    ('k3j9x2ac', 'k3j9x300', '00')
    """
    number = 0
    for each in key:
        number = number * 32 + max(0, DIGITS.find(each))
    number = (number + 1) % 32 ** len(key)
    return "".join(DIGITS[number >> shift & 31] for shift in range(5 * (len(key) - 1), -1, -5))


def rows_key(parts: Iterable[Part]) -> str:
    """Return a digest of the rows of these parts and of their attempts."""
    asked = sorted((part.job, part.first, part.rows, part.attempt) for part in parts)
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]
