"""Which batches may be sent now: all at once where batches are known to pass, one at a time where one was refused."""

from __future__ import annotations

from collections.abc import Iterable

from ...domain.records import Batch, BatchState
from ...model import BatchPhase
from ...sending.accounts import Stage
from ..context import Context

UNDECIDED_FOR = 600.0
"""Seconds after which a batch that its provider has not refused no longer keeps others waiting."""
LOOK_AGAIN = 15.0
"""Seconds between looks for a new key while an account is refused."""

_OPENING = frozenset({BatchState.PACKED, BatchState.UPLOADED, BatchState.SUBMITTING})
_NEW = frozenset({None, BatchPhase.VALIDATING})


class Turns:
    """How much may be sent now, by the batches that are under way."""

    def __init__(self, context: Context, batches: Iterable[Batch]) -> None:
        self._accounts = context.accounts
        self._quotas = context.quotas
        self._steady = context.clock.steady()
        self._now = context.clock.now()
        young = (each for each in batches if each.state in _OPENING or self._is_young(each))
        self._batches = sorted(young, key=lambda each: (each.created_at, each.key))

    def wait_to_send(self, batch: Batch) -> float:
        """Steady time before which this batch must not be uploaded or created; 0 if it may be now."""
        block = self._accounts.block(batch.provider, batch.model)
        if block is None:
            return 0.0
        if block.until > self._steady:
            return block.until
        opening = (each for each in self._batches if each.provider == batch.provider and each.state in _OPENING)
        first = next(opening, batch)
        if first.key == batch.key and not self._is_trying(batch.provider, batch.model, but=batch.key):
            return 0.0
        return self._steady + LOOK_AGAIN

    def wait_to_pack(self, provider: str, model: str) -> float:
        """Steady time before which no batch must be made; 0 if one may be now."""
        block = self._accounts.block(provider, model)
        return block.until if block is not None else 0.0

    def room(self, provider: str, model: str) -> int:
        """How many batches may be made now."""
        if self._accounts.block(provider, model) is not None:
            opening = any(each.provider == provider and each.state in _OPENING for each in self._batches)
            return 0 if opening or self._is_trying(provider, model) else 1
        ours = [each for each in self._batches if (each.provider, each.model) == (provider, model)]
        undecided = sum(each.state in _OPENING or self._is_new(each) for each in ours)
        window = 1 if self._accounts.is_careful(provider, model) else self._quotas.window((provider, model))
        return max(0, window - undecided)

    def _is_trying(self, provider: str, model: str, but: str = "") -> bool:
        """Whether a try is under way whose outcome is not known yet."""
        block = self._accounts.block(provider, model)
        counts = self._is_young if block is not None and block.stage is Stage.ANSWERS else self._is_new
        return any(counts(each) for each in self._batches if each.provider == provider and each.key != but)

    def _is_new(self, batch: Batch) -> bool:
        return batch.state is BatchState.SUBMITTED and batch.phase in _NEW and self._is_young(batch)

    def _is_young(self, batch: Batch) -> bool:
        return batch.submitted_at is not None and self._now - batch.submitted_at < UNDECIDED_FOR
