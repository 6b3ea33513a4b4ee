"""Counts the tokens of a sample of many requests, and estimates the sum for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tokens import OneByOne

COUNTED_FIRST, COUNTED_OF_EACH = 200, 40
"""COUNTED_FIRST requests at the beginning are all counted; then COUNTED_OF_EACH, spread evenly, of each stretch, which
is as long as all requests before it."""


@dataclass(slots=True)
class _Stretch:
    """A run of bodies: what was counted in it, and what was not."""

    counted: int = 0
    tokens: float = 0.0
    size: int = 0
    others: int = 0
    size_of_others: int = 0
    longest: int = 0

    def joined_to(self, other: _Stretch) -> _Stretch:
        """Both as one."""
        return _Stretch(
            self.counted + other.counted,
            self.tokens + other.tokens,
            self.size + other.size,
            self.others + other.others,
            self.size_of_others + other.size_of_others,
            max(self.longest, other.longest),
        )


class TokenCounter:
    """Counts some bodies of a run; the others get the tokens per byte of those that were counted in their stretch.

    A sample is enough, since only the sum matters. A file may be sorted, and begin with another language than it ends
    with, so the counted bodies come from all over it. The longest body so far is always counted.
    """

    def __init__(self, one_by_one: OneByOne, correction: float = 1.0) -> None:
        self.one_by_one = one_by_one
        self._correction = correction
        self._places = _places()
        self._next = next(self._places)
        self._seen = self._longest_size = self._longest = self._exact = 0
        self._now = _Stretch()
        self._before: list[_Stretch] = []

    def __call__(self, body: bytes) -> int:
        """The tokens of the next body, as far as they are known by now."""
        size = len(body)
        if self._seen == self._next or size > self._longest_size:
            return self._count(size, body)
        self._pass(1, size, size)
        known = self._now if self._now.counted or not self._before else self._before[-1]
        return round(known.tokens / known.size * size * self._correction)

    def many(self, sizes: Sequence[int], body: Callable[[int], bytes]) -> None:
        """Count many bodies. `sizes` are their bytes; `body` makes one by its place there, and is called for few."""
        at, end = 0, len(sizes)
        while at < end:
            to = min(end, at + self._next - self._seen)
            if to > at:
                run = sizes[at:to]
                most = max(run)
                if most > self._longest_size:
                    to = next(place for place in range(at, to) if sizes[place] > self._longest_size)
                    run = sizes[at:to]
                    most = max(run, default=0)
                self._pass(len(run), sum(run), most)
                at = to
            if at < end and (self._seen == self._next or sizes[at] > self._longest_size):
                self._count(sizes[at], body(at))
                at += 1

    @property
    def total(self) -> int:
        """The tokens of all bodies so far."""
        return self._exact + round(sum(_others(known, self.one_by_one) for known in self._known()) * self._correction)

    @property
    def longest(self) -> int:
        """The most tokens that any body so far has."""
        others = (_others(known, self.one_by_one, longest=True) for known in self._known())
        return max([self._longest, *(round(each * self._correction) for each in others)])

    @property
    def same(self) -> float | None:
        """The tokens that all bodies so far have in common, None without a common frame (or with one body only)."""
        same = self.one_by_one.constant
        return None if same is None else same * self._correction

    def _count(self, size: int, body: bytes) -> int:
        count = self.one_by_one(body)
        tokens = round(count * self._correction)
        self._exact += tokens
        self._longest = max(self._longest, tokens)
        self._longest_size = max(self._longest_size, size)
        if self._seen == self._next:
            # A body that was counted for its length is not typical, so it does not count here.
            self._now.counted += 1
            self._now.tokens += count
            self._now.size += size
            self._next = next(self._places)
            if self._now.counted == (COUNTED_OF_EACH if self._before else COUNTED_FIRST):
                self._before.append(self._now)
                self._now = _Stretch()
        self._seen += 1
        return tokens

    def _pass(self, number: int, size: int, longest: int) -> None:
        self._now.others += number
        self._now.size_of_others += size
        self._now.longest = max(self._now.longest, longest)
        self._seen += number

    def _known(self) -> Iterator[_Stretch]:
        """Yield the stretches. If the last one has too few counted bodies yet, it is joined to the one before."""
        *whole, last = [*self._before, self._now]
        if whole and last.counted < COUNTED_OF_EACH // 2:
            last = whole.pop().joined_to(last)
        yield from whole
        yield last


def _places() -> Iterator[int]:
    """Yield the places of the bodies to count, at unequal distances: a file may repeat itself at equal ones."""
    yield from range(COUNTED_FIRST)
    begin = COUNTED_FIRST
    while True:
        step = begin / COUNTED_OF_EACH
        for each in range(COUNTED_OF_EACH):
            yield begin + int((each + each * _GOLDEN % 1) * step)
        begin *= 2


_GOLDEN = (5**0.5 - 1) / 2
"""Its multiples are spread evenly between the whole numbers, without any rhythm."""


def _others(known: _Stretch, one_by_one: OneByOne, *, longest: bool = False) -> float:
    """Estimate the tokens of all bodies not counted, or of the longest of them, by their bytes outside the frame."""
    others, size = (1, known.longest) if longest else (known.others, known.size_of_others)
    if not size:
        return 0.0
    constant, frame = one_by_one.constant, one_by_one.frame_bytes
    if constant is not None and known.size > known.counted * frame and size >= others * frame:
        share = (known.tokens - known.counted * constant) / (known.size - known.counted * frame)
        if share >= 0:
            return others * constant + share * (size - others * frame)
    return known.tokens / known.size * size
