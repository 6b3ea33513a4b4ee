"""The states of jobs, parts and batches. In a module of their own, which the command line imports quickly."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is on its way from the inbox to the archive."""

    CLAIMING = "claiming"  # the file is about to be moved out of the inbox
    CLAIMED = "claimed"  # the file is among the working files, not read yet
    PLANNING = "planning"  # read; its rows are being turned into requests
    HELD = "held"  # waits for a person's approval
    RUNNING = "running"  # its parts are sent in batches
    CHAINED = "chained"  # its answered rows are asked by the next step
    DELIVERING = "delivering"  # every row has its outcome; sinks publish
    REJECTING = "rejecting"  # cannot be processed; on its way to the rejected folder
    FAILED = "failed"  # stopped until `retry` or `cancel`
    DONE = "done"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """True once nothing more will happen to the job by itself."""
        return self in {JobState.DONE, JobState.CANCELLED, JobState.REJECTED}


NO_ANSWERS, MAX_FAILED = "no_answers", "max_failed"
FAILED_AT_THE_END = frozenset({NO_ANSWERS, MAX_FAILED})
"""Reasons for which a job that has ended counts as failed, though every row has its outcome."""


class PartState(StrEnum):
    """The progress of a part's current attempt."""

    UNPLANNED = "unplanned"
    PLANNED = "planned"  # its request file is written
    BATCHED = "batched"  # it belongs to a batch
    ANSWERED = "answered"  # the answers to its rows are on disk
    COLLECTED = "collected"  # every row has its outcome, or will be skipped


class Trial(StrEnum):
    """Why a job asks some rows ahead of others."""

    PILOT = "pilot"  # some of its rows, before a person lets the others be asked
    TRY = "try"  # some rows of a file, for a person to look at; nothing is delivered


PILOT = "pilot"
"""The reason code of a job that is held because its pilot is answered."""
USELESS = "useless"
"""The reason code of a job that is held because its first answers are all of no use."""


class HeldFor(StrEnum):
    """What a person must decide about a batch that is held."""

    OUTCOME = "outcome"  # whether it was created: the provider cannot look it up
    ACCOUNT = "account"  # the provider does not know it, and another account is configured
    ANSWERS = "answers"  # the provider says that it answered more than it sends
    COPY = "copy"  # the provider has it, though it was not sent: the state folder is an older copy


class BatchState(StrEnum):
    """The progress of a batch, as far as batchd knows."""

    PACKED = "packed"
    UPLOADED = "uploaded"
    SUBMITTING = "submitting"  # the create call was allowed to go out; its outcome is not known
    SUBMITTED = "submitted"  # the provider has it under `remote`
    ENDED = "ended"  # the provider has stopped working on it
    FETCHED = "fetched"  # its answers are on our disk
    HELD = "held"  # a person must decide; `HeldFor` says about what
    DONE = "done"  # every part has the answers to its rows
    RETURNED = "returned"  # it never ran; its parts are back in the queue

    @property
    def final(self) -> bool:
        """True once nothing more will happen to the batch."""
        return self in {BatchState.DONE, BatchState.RETURNED}


CALLS_REPEATED = "calls_repeated"
"""A key in the details of a batch of live calls: how many rows may be paid twice, and the first of them, counted from
1. Each of these rows reserves its cost a second time until the batch is collected."""
LIVE_WEIGHT = "live_weight"
"""Another key, never stored: how many turns the batch's calls get for each turn of another job."""
LIVE_TRUSTED = "live_trusted"
"""Another key, never stored: rows of the job are answered already, so the batch's first answers need no check."""
LIVE_RATE = "live_rate"
"""Another key: how fast the batch's calls are made, in words."""
