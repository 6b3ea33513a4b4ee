"""The files of one attempt of a part."""

from __future__ import annotations

from ...domain.records import Part
from ...store.spool import Spool
from ...work.kept_answers import index_of


def remove_attempt(spool: Spool, part: Part) -> None:
    """Remove the files of the part's attempt, and its earlier results, once newer results have its outcomes."""
    files = [spool.requests(part), spool.answers(part), index_of(spool.answers(part)), spool.keys(part)]
    files += [spool.corrections(part), spool.prints(part)]
    files += [spool.results(part)] if part.results else []
    for file in files:
        file.unlink(missing_ok=True)
