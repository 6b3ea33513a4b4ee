"""The messages between the server and its worker process, sent as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from ..faults.table import Order


@dataclass(frozen=True, slots=True)
class LineOrder:
    """A fault for lines, with the number of times that each custom_id met it in other batches."""

    number: int
    order: Order
    met: dict[str, int]


@dataclass(frozen=True, slots=True)
class ExecuteJob:
    """The order to execute one input file: validate it, answer its requests, write the output files."""

    batch_id: str
    endpoint: str
    created_at: int
    source: str
    output: str
    errors: str
    executed: str
    """A file for the custom_ids that were answered, in that order, one JSON string per line."""
    drafts: str
    """The folder for incomplete files; a file appears at its own path when it is complete."""
    shuffled: bool
    share: float
    """The share of the requests that is answered before the batch ends, 0 to 1."""
    rest: str | None
    """The error code of the lines that are not answered; None or an empty one leaves them out."""
    max_requests: int
    max_bytes: int
    models: tuple[str, ...] | None
    """None accepts any model."""
    line_orders: tuple[LineOrder, ...] = ()
    batch_orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchError:
    """An error of validation: an item of `errors.data`. `line` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of executing an input file."""

    share: float
    errors: tuple[BatchError, ...] = ()
    """If there are any, the batch is refused and the other fields mean nothing."""
    model: str | None = None
    total: int = 0
    completed: int = 0
    """Requests answered with 2xx: these are billed."""
    failed: int = 0
    input_tokens: int = 0
    """Billed tokens, of the answered requests."""
    output_tokens: int = 0
    enqueued_tokens: int = 0
    """Prompt tokens of all requests, which count against the limit while the batch runs."""
    cached_tokens: int = 0
    """The part of the input tokens that came from a cache."""
    output_lines: int = 0
    output_bytes: int = 0
    error_lines: int = 0
    error_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Executed:
    """The worker's answer to an ExecuteJob."""

    outcome: Outcome
    met: dict[int, list[str]]
    """The custom_ids that met each fault, by its number. The server stores them."""


Reply = Executed | str
"""One line from the worker: the result, or why there is none."""
