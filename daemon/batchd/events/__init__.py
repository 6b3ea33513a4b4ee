"""Events, in the past tense: for the history of a job, the daemon's log and the observers.

An event is written to the database in the same transaction as the change that it reports. The log and the observers get
it only after the commit. Its `sentence` is for the operator at three in the morning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import ConditionCleared as ConditionCleared
from .base import ConditionRaised as ConditionRaised
from .base import Event as Event
from .base import SendingPaused as SendingPaused
from .base import SendingResumed as SendingResumed
from .base import count as count
from .batches import BatchDownloaded as BatchDownloaded
from .batches import BatchEnded as BatchEnded
from .batches import BatchFound as BatchFound
from .batches import BatchGoesOn as BatchGoesOn
from .batches import BatchHeld as BatchHeld
from .batches import BatchNotFound as BatchNotFound
from .batches import BatchOutcomeUnknown as BatchOutcomeUnknown
from .batches import BatchPacked as BatchPacked
from .batches import BatchReturned as BatchReturned
from .batches import BatchStalled as BatchStalled
from .batches import BatchSubmitted as BatchSubmitted
from .batches import BatchUploaded as BatchUploaded
from .batches import CallsRepeated as CallsRepeated
from .batches import UsageDiffers as UsageDiffers
from .chains import StepBegun as StepBegun
from .chains import StepEnded as StepEnded
from .files import FilesRemoved as FilesRemoved
from .jobs import JobAccepted as JobAccepted
from .jobs import JobApproved as JobApproved
from .jobs import JobCancelled as JobCancelled
from .jobs import JobClaimed as JobClaimed
from .jobs import JobDelivered as JobDelivered
from .jobs import JobFailed as JobFailed
from .jobs import JobFinished as JobFinished
from .jobs import JobHeld as JobHeld
from .jobs import JobLate as JobLate
from .jobs import JobMoved as JobMoved
from .jobs import JobPlanned as JobPlanned
from .jobs import JobPurged as JobPurged
from .jobs import JobRedelivered as JobRedelivered
from .jobs import JobRejected as JobRejected
from .jobs import JobRetried as JobRetried
from .jobs import OrderGiven as OrderGiven
from .jobs import OrderRefused as OrderRefused
from .jobs import SinkSkipped as SinkSkipped
from .jobs import SourceChanged as SourceChanged
from .parts import PartSplit as PartSplit
from .parts import RowsReturned as RowsReturned
from .parts import WorkerDied as WorkerDied
from .trials import PilotApproved as PilotApproved
from .trials import TryBegun as TryBegun
from .trials import TryEnded as TryEnded


def from_record(kind: str, data: Mapping[str, Any], **common: Any) -> Event | None:
    """The event of a stored record, None if this version does not know its kind or its fields.

    `common` are the fields that all events have: job, batch, id, at.
    """
    known = {each.__name__: each for each in Event.__subclasses__()}.get(kind)
    if known is None:
        return None
    try:
        return known(**common, **data)
    except TypeError:
        return None
