"""Accounts that a provider refuses: batchd sends them only one try at a time, with a pause before each.

Kept in memory, by a clock that never jumps: after a restart the first try is made at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from msgspec import Struct

FIRST_PAUSE = 30.0
"""Seconds before the first try after a refusal."""
MAX_PAUSE = 3_600.0

Place = tuple[str, str]
"""Provider and model; no model means the account as a whole."""


class Stage(IntEnum):
    """How far a batch came before a refusal. A batch that comes as far, or farther, proves that the refusal is over."""

    UPLOAD = 1
    CREATE = 2
    VALIDATION = 3
    ANSWERS = 4


class Block(Struct, frozen=True):
    """A place that is refused: where, why in a sentence, how often in a row, and when the next try may be made."""

    stage: Stage
    text: str
    failures: int
    until: float
    key: str = ""


@dataclass(slots=True)
class _Suspicion:
    """An unexplained refusal, and the rows that got it: (job, first row, number of rows)."""

    stage: Stage
    rows: dict[str, list[frozenset[tuple[str, int, int]]]] = field(default_factory=dict)


class Accounts:
    """The refused places and the unexplained refusals. `changed` has the providers whose blocks have changed."""

    def __init__(self) -> None:
        self._blocks: dict[Place, Block] = {}
        self._suspicions: dict[Place, _Suspicion] = {}
        self.changed: set[str] = set()

    def refused(self, place: Place, stage: Stage, text: str, *, steady: float, key: str = "") -> None:
        """Block the place, longer with each refusal. Batches sent before the last refusal tell nothing new."""
        before = self._blocks.get(place)
        if before is not None and before.until > steady:
            return
        failures = before.failures + 1 if before is not None else 1
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
        stage = stage if before is None else max(stage, before.stage)
        self._blocks[place] = Block(stage, text, failures, steady + pause, key)
        self.changed.add(place[0])

    def passed(self, provider: str, model: str, stage: Stage) -> None:
        """Note that a batch of this model has come to this stage without a refusal."""
        for place in ((provider, ""), (provider, model)):
            block = self._blocks.get(place)
            if block is not None and stage >= block.stage:
                del self._blocks[place]
                self.changed.add(provider)
            suspicion = self._suspicions.get(place)
            if suspicion is not None and stage >= suspicion.stage:
                del self._suspicions[place]

    def seen_elsewhere(self, place: Place, stage: Stage, signature: str, rows: frozenset[tuple[str, int, int]]) -> bool:
        """Note an unexplained refusal. True if entirely other rows got the same one, and none was accepted since."""
        suspicion = self._suspicions.setdefault(place, _Suspicion(stage))
        suspicion.stage = max(stage, suspicion.stage)
        others = suspicion.rows.setdefault(signature, [])
        found = any(not _overlap(rows, other) for other in others)
        others.append(rows)
        del others[:-20]
        return found

    def is_careful(self, provider: str, model: str) -> bool:
        """Whether only one batch at a time may be under way, because of a block or an unexplained refusal."""
        return (provider, model) in self._suspicions or self.block(provider, model) is not None

    def block(self, provider: str, model: str) -> Block | None:
        """The block that lasts longest of those that stop this model; None if there is none."""
        blocks = [each for place in ((provider, ""), (provider, model)) if (each := self._blocks.get(place))]
        return max(blocks, key=lambda each: each.until, default=None)

    def of(self, provider: str) -> list[Block]:
        """All blocks of a provider."""
        return [block for (name, _), block in self._blocks.items() if name == provider]

    def blocked(self) -> set[str]:
        """The providers with a block."""
        return {name for name, _ in self._blocks}

    def release(self, provider: str | None = None) -> None:
        """Allow the next try now, since a person may have changed something."""
        for place, block in self._blocks.items():
            if provider in {None, place[0]}:
                self._blocks[place] = Block(block.stage, block.text, block.failures, 0.0, block.key)

    def forget(self, provider: str) -> None:
        """Forget the blocks of a provider that nothing waits for, as a restart does."""
        self._blocks = {place: block for place, block in self._blocks.items() if place[0] != provider}


def _overlap(some: frozenset[tuple[str, int, int]], others: frozenset[tuple[str, int, int]]) -> bool:
    return any(
        job == other_job and first < other_first + other_rows and other_first < first + rows
        for job, first, rows in some
        for other_job, other_first, other_rows in others
    )
