"""The sandbox's records of files and batches, and how the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .batches.worker_messages import Outcome
from .faults.table import Order

COMPLETION_WINDOW = 24 * 3600


class Status(StrEnum):
    """The states of a batch, as the real service names them."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Status.FAILED, Status.COMPLETED, Status.EXPIRED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One uploaded file, or one written by a batch."""

    id: str
    filename: str
    bytes: int
    purpose: str
    created_at: int
    expires_at: int | None = None
    deleted_at: int | None = None

    def shown(self) -> dict[str, Any]:
        """The file object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.bytes,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests a batch has, how many are answered and how many failed."""

    total: int = 0
    completed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch: its request, its faults and its progress. Times are unix seconds."""

    id: str
    created_at: float
    """In the future for a batch that is created late and hidden until then."""
    input_file_id: str
    endpoint: str
    metadata: Mapping[str, str] | None
    latency: float
    faults: tuple[tuple[int, Order], ...] = ()
    """The number and order of each fault that the batch was created with."""
    status: Status = Status.VALIDATING
    in_progress_at: float | None = None
    finalizing_at: float | None = None
    completed_at: float | None = None
    failed_at: float | None = None
    expired_at: float | None = None
    cancelling_at: float | None = None
    cancelled_at: float | None = None
    outcome: Outcome | None = None
    """The worker's result; None until the input file was executed."""
    answered: float | None = None
    """The share of requests that was answered when the batch was cancelled."""
    reserved_output_id: str = ""
    reserved_error_id: str = ""

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self.status in TERMINAL

    def fault(self, kind: str) -> Order | None:
        """The batch's fault of this kind, if it has one."""
        for _, order in self.faults:
            if order.operation == "batch" and order.kind == kind:
                return order
        return None

    @property
    def output_file_id(self) -> str | None:
        """The id of the output file. Only a finished batch with answers has one."""
        has_lines = self._published and self.outcome is not None and self.outcome.output_lines > 0
        return self.reserved_output_id if has_lines else None

    @property
    def error_file_id(self) -> str | None:
        """The id of the error file. Only a finished batch with failures has one."""
        has_lines = self._published and self.outcome is not None and self.outcome.error_lines > 0
        return self.reserved_error_id if has_lines else None

    @property
    def _published(self) -> bool:
        refused = self.status is Status.FAILED and self.fault("broken") is None
        return self.finished and not refused and self.fault("no-files") is None

    def shown(self, counts: Counts) -> dict[str, Any]:
        """The batch object of the API, with its counts at this moment."""
        outcome = self.outcome
        no_file = "" if self.fault("empty-ids") else None
        validated = self.status is not Status.VALIDATING
        errors = outcome.errors if outcome is not None and self.status is Status.FAILED else ()
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": outcome.model if outcome is not None and validated else None,
            "errors": {"object": "list", "data": list(errors)} if errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_file_id or no_file,
            "error_file_id": self.error_file_id or no_file,
            "created_at": int(self.created_at),
            "expires_at": int(self.created_at) + COMPLETION_WINDOW,
            **{f"{status}_at": _moment(getattr(self, f"{status}_at")) for status in Status if status != "validating"},
            "request_counts": counts,
            "usage": _usage(outcome) if outcome is not None and self.finished else None,
            "metadata": self.metadata,
        }


def _moment(value: float | None) -> int | None:
    return None if value is None else int(value)


def _usage(outcome: Outcome) -> dict[str, Any]:
    return {
        "input_tokens": outcome.input_tokens,
        "input_tokens_details": {"cached_tokens": outcome.cached_tokens},
        "output_tokens": outcome.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": outcome.input_tokens + outcome.output_tokens,
    }
