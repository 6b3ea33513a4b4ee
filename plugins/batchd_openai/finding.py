"""Looks through the service's list of batches for those that batchd created."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from batchd import CallKind, CannotFind, HttpCall, Json, Submission, read_id, read_moment

from .client import Client
from .listing import everything

_MAX_COPIES = 100
"""Each create is made once. A service may carry it out twice, but not a hundred times."""


async def find(client: Client, address: str, is_ours: Callable[[Mapping[str, Json]], bool]) -> Sequence[str]:
    """Return the ids of our batches on all pages, oldest first."""
    created: dict[str, float] = {}
    without_origin = False
    call = HttpCall("list its batches", CallKind.LOOK)
    try:
        async for batch in everything(client, call, "batches", {"limit": 100}):
            remote = read_id(batch.get("id"))
            if remote is not None and is_ours(batch):
                created[remote] = read_moment(batch.get("created_at")) or math.inf
            if len(created) > _MAX_COPIES:
                created.clear()
                raise CannotFind(
                    f"{address} lists more than {_MAX_COPIES} batches of one file of ours, which is not possible."
                )
            without_origin = without_origin or not ("input_file_id" in batch or "metadata" in batch)
    except CannotFind:
        # A batch that was found exists, even if some pages could not be read.
        if not created:
            raise
    if without_origin and not created:
        raise CannotFind(f"{address} lists its batches without saying which file each came from.")
    return _oldest_first(created)


def is_of(batch: Mapping[str, Json], submission: Submission) -> bool:
    """Whether the batch was created from the submission's file, or is marked with its key."""
    if submission.upload and read_id(batch.get("input_file_id")) == submission.upload:
        return True
    return _mark(batch, "batchd_key") == submission.key


def has_rows(batch: Mapping[str, Json], submission: Submission) -> bool:
    """Whether the batch is marked with the same rows as the submission."""
    return _mark(batch, "batchd_rows") == submission.rows_key


def _mark(batch: Mapping[str, Json], name: str) -> object:
    metadata = batch.get("metadata")
    return metadata.get(name) if isinstance(metadata, Mapping) else None


def _oldest_first(created: Mapping[str, float]) -> list[str]:
    """Sort by `created_at`, which has whole seconds. Within a second, reverse a list that has the newest first."""
    listed = list(created)
    if listed and created[listed[0]] >= created[listed[-1]]:
        listed.reverse()
    return sorted(listed, key=lambda remote: created[remote])
