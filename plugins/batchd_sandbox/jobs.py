"""What the server asks of its worker process, and what it gets back: plain values, JSON on the way."""

from __future__ import annotations

from dataclasses import dataclass

from .faults import Order


@dataclass(frozen=True, slots=True)
class LineOrder:
    """A fault for lines, with how often each custom_id has met it in other batches."""

    number: int
    order: Order
    met: dict[str, int]


@dataclass(frozen=True, slots=True)
class ExecuteJob:
    """Read one input file: validate it, answer its requests, write the output files."""

    batch_id: str
    endpoint: str
    created_at: int
    source: str
    output: str
    errors: str
    executed: str
    """Gets one JSON string a line: the custom_ids that were answered, in the order of answering."""
    drafts: str
    """Folder for what is not finished; a file appears at its own path when it is whole."""
    shuffled: bool
    share: float
    """How many of the requests are answered before the batch ends, 0 to 1."""
    rest: str | None
    """Code of the error lines for those that are not; None leaves them out."""
    max_requests: int
    max_bytes: int
    models: tuple[str, ...] | None
    """None: any."""
    line_orders: tuple[LineOrder, ...] = ()
    batch_orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchError:
    """Why a batch was refused in validation: an item of `errors.data`. `line` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an input file."""

    share: float
    errors: tuple[BatchError, ...] = ()
    """Any at all: the batch is refused, and the rest says nothing."""
    model: str | None = None
    total: int = 0
    completed: int = 0
    """Answered with a 2xx: what is billed."""
    failed: int = 0
    input_tokens: int = 0
    """Of the answered ones, as billed."""
    output_tokens: int = 0
    enqueued_tokens: int = 0
    """Prompt tokens of all requests: what counts against the limit while the batch runs."""
    output_lines: int = 0
    output_bytes: int = 0
    error_lines: int = 0
    error_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Executed:
    """The worker's answer to an ExecuteJob."""

    outcome: Outcome
    met: dict[int, list[str]]
    """Which custom_ids met which fault, by its number: kept by the server."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One line from the worker: what it found, or why it could not look."""

    executed: Executed | None = None
    failed: str | None = None
