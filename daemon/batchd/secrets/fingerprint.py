"""Fingerprints of accounts: they tell two keys apart, and reveal neither.

Each fact has a fingerprint of its own, so that a message can say which fact has changed.
"""

from __future__ import annotations

from collections.abc import Mapping

KEY_BYTES = 32
_DIGITS = 16
"""Hexadecimal digits that are kept: too few to be of use to anyone, enough that no two keys share them."""


def fingerprint(key: bytes, facts: Mapping[str, str]) -> dict[str, str]:
    """Each fact as a keyed hash. `key` is random, and never leaves the state folder."""
    # Imported here, since `batchd status` seldom needs them.
    import hashlib
    import hmac

    return {
        name: hmac.new(key, f"{name}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_DIGITS]
        for name, value in facts.items()
    }


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names of the facts that have changed; none if one of the two is not known.

    >>> changed({"key": "a1", "address": "b2"}, {"key": "c3", "address": "b2"})
    ['key']
    """
    if not before or not now:
        return []
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


def account_name(prints: Mapping[str, str]) -> str | None:
    """One short name for all of them: the same for the same account and state folder."""
    if not prints:
        return None
    import hashlib

    return hashlib.sha256("".join(f"{name}={prints[name]};" for name in sorted(prints)).encode()).hexdigest()[:_DIGITS]
