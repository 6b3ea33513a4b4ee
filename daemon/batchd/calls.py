"""Live calls: one request and its answer. And how a provider finds out whether a service has batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from .model import Failure


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A request that is sent by itself.

    `body` is the JSON object to send. `key` stays the same when batchd repeats a call of unknown outcome, and changes
    after any answer: a service that knows the header `Idempotency-Key` bills the call once. `timeout` is in seconds.
    """

    custom_id: str
    body: bytes
    endpoint: str
    key: str
    timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """The answer to one request: the HTTP status and the JSON body, as they came, or the reason why there is none.

    A status of 400 or more refuses this request alone. `headers`, with names in lower case, may tell limits
    (`x-ratelimit-limit-requests`).
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class BatchesFound:
    """Whether a service has batches for this API key (`there`; None if not known), and why, as a sentence."""

    there: bool | None
    why: str


class FindsBatches(ABC):
    """Implemented by a provider of both batches and live calls, so that `mode = "auto"` can choose."""

    @abstractmethod
    async def find_batches(self) -> BatchesFound:
        """Find out by calls that cost nothing. False only for a definite answer such as status 404, never for a fault.

        batchd believes False only after two such answers a minute apart, and then for a day.
        """
