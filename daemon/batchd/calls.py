"""One request that is sent by itself, and what came of it; and whether a service has batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from .model import Failure


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A request that is sent by itself.

    `body` is a JSON object, as it is to be sent. `key` is the same when a call of unknown outcome is repeated, and
    another after any answer: services that know the header `Idempotency-Key` bill it once. `timeout` is in seconds.
    """

    custom_id: str
    body: bytes
    endpoint: str
    key: str
    timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """The answer to one request: the HTTP status and the JSON body, as they came, or the reason why there is none.

    A status of 400 and more is a refusal of this request alone. `headers`, with names in lower case, may tell limits
    (`x-ratelimit-limit-requests`).
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class BatchesFound:
    """Whether a service has batches for this key, None if that is not known; and why, as a sentence."""

    there: bool | None
    why: str


class FindsBatches(ABC):
    """What a provider of batches and of live calls does so that `mode = "auto"` can choose."""

    @abstractmethod
    async def find_batches(self) -> BatchesFound:
        """Find out by calls that cost nothing. False only for a definite answer, as `status 404` is, never for a fault.

        batchd believes a False once it came twice, a minute apart, and then for a day.
        """
