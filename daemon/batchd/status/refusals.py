"""What a daemon has found out about refusals: providers that jobs wait for, and jobs that a provider refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from ..domain.subjects import SubjectKind
from ..store.reading.snapshot import snapshot
from .records import Condition, JobSummary

_KINDS = frozenset({SubjectKind.PROVIDER, SubjectKind.OBSERVER})


class Refusals(Struct, frozen=True):
    """Conditions of providers and observers, and the jobs that stopped."""

    conditions: Sequence[Condition]
    stopped: Sequence[JobSummary]


def refusals(state: Path) -> Refusals:
    """Look now. StateUnusable, in words, if the database cannot be read."""
    with snapshot(state) as look:
        conditions = [each for each in look.conditions() if each.subject.kind in _KINDS]
        return Refusals(conditions, [job for job in look.unfinished() if job.reason_code == "provider_refused"])
