"""The values that looking gives."""

from __future__ import annotations

from ..store.reading.records import BatchSummary as BatchSummary
from ..store.reading.records import Condition as Condition
from ..store.reading.records import Delivery as Delivery
from ..store.reading.records import JobSummary as JobSummary
from ..store.reading.records import LearntLimit as LearntLimit
from ..store.reading.records import StoredEvent as StoredEvent
from ..store.reading.records import Tokens as Tokens
