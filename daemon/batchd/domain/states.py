"""The states of jobs, parts and batches. By themselves, since the command line needs them and has little time."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is on its way from the inbox to the archive."""

    CLAIMING = "claiming"  # we mean to take the file out of the inbox
    CLAIMED = "claimed"  # the file is in the spool, not read yet
    PLANNING = "planning"  # read; its rows are being turned into requests
    HELD = "held"  # waits for a person's approval
    RUNNING = "running"  # its parts go through batches
    DELIVERING = "delivering"  # every row has its outcome; sinks publish
    REJECTING = "rejecting"  # cannot be taken; on its way to the rejected folder
    FAILED = "failed"  # stands still until `retry` or `cancel`
    DONE = "done"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """True once nothing more will happen to the job by itself."""
        return self in {JobState.DONE, JobState.CANCELLED, JobState.REJECTED}


class PartState(StrEnum):
    """Where a part's current attempt is."""

    UNPLANNED = "unplanned"
    PLANNED = "planned"  # its request file is written
    BATCHED = "batched"  # it belongs to a batch
    ANSWERED = "answered"  # its share of the batch's answers is on disk
    COLLECTED = "collected"  # every row has its outcome, or will be skipped


class BatchState(StrEnum):
    """Where a batch is, as far as we know."""

    PACKED = "packed"
    UPLOADED = "uploaded"
    SUBMITTING = "submitting"  # the create call was allowed to go out; its outcome is not known
    SUBMITTED = "submitted"  # the provider has it under `remote`
    ENDED = "ended"  # the provider is through with it
    FETCHED = "fetched"  # its answers are on our disk
    HELD = "held"  # a person must say whether the provider has it
    DONE = "done"  # every part has its share of the answers
    RETURNED = "returned"  # it never ran; its parts are back in the queue

    @property
    def final(self) -> bool:
        """True once nothing more will happen to the batch."""
        return self in {BatchState.DONE, BatchState.RETURNED}
