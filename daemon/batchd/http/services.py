"""A service that is called over HTTP: its calls in words, and its faults and refusals as errors of batchd.

NotSent needs proof that nothing was sent, since a create is then repeated at once. httpx2's exception is no proof: the
transports of SDKs report every lost connection as `ConnectTimeout`, even one lost after the service had read the
request. So the underlying cause decides.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from ..errors import BatchdError, CannotFind, NotSent, ProviderError, RejectedError, SubmissionRefused, TransientError
from ..secrets.known import covered
from .faults import NetworkFault

if TYPE_CHECKING:
    import httpx2

    from ..model import Json, Problem

_MAX_TEXT = 500
"""Characters of a service's text that a message quotes."""


class CallKind(Enum):
    """The kind of a call, which decides what its refusal means."""

    PLAIN = auto()
    UPLOAD = auto()
    CREATE = auto()
    LOOK = auto()
    """A search through a list for a batch or file that may not be there."""
    ANSWER = auto()
    """The call of one row."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A call, for messages: `what` completes "when asked to ...", `about` is the id in the call."""

    what: str
    kind: CallKind = CallKind.PLAIN
    about: str | None = None


class HttpAnswer(NamedTuple):
    """The answer to a call. Header names may be in any case; the body of an error may be cut short."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, response: httpx2.Response, content: bytes | None = None) -> HttpAnswer:
        """Take a response of httpx2, with `content` or its own content; with none if it was not read."""
        if content is None:
            with suppress(RuntimeError):  # httpx2.StreamError, without importing it here
                content = response.content
        return cls(response.status_code, response.headers, content or b"")

    @property
    def is_page(self) -> bool:
        """Whether the answer is an HTML page. JSON never begins with `<`."""
        return "html" in self.headers.get("content-type", "").lower() or self.body.lstrip()[:1] == b"<"

    def decoded(self) -> Json:
        """The decoded JSON, with our secrets covered; None if the body is not JSON."""
        try:
            return covered(msgspec.json.decode(self.body))
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class HttpService:
    """The service as messages name it. They may contain no secret."""

    no_such_call: ClassVar[frozenset[int]] = frozenset({404, 405, 410, 501})
    """Statuses of a service that does not know the call, or the object of the call."""
    passing: ClassVar[frozenset[int]] = frozenset({408, 409, 425, 429})
    """Statuses of faults that pass, besides those from 500 on."""

    base_url: str
    key_where: str
    key_renewal: str = "then start batchd again"

    @property
    def to_check(self) -> str:
        """What to check in the configuration if something else answers in the service's place."""
        return "base_url"

    def may(self, call: HttpCall) -> str:  # noqa: ARG002  # what a default does not use, an implementation will
        """What a key must be allowed to do for such a call."""
        return "use batches"

    def masked(self, text: str) -> str:
        """The text with our secrets covered."""
        return covered(text)

    def of_fault(self, error: Exception, call: HttpCall, *, library: str | None = None) -> BatchdError:
        """The error for a call without an answer. Raise it outside the `except`: the original may quote the key.

        `library`: the library that raised the error itself, if the network is not the cause.
        """
        import aiohttp
        import httpx2

        from .bounded_answers import AnswerTooLarge

        fault = NetworkFault(error)
        text = self.masked(fault.reason)
        unusable = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, httpx2.InvalidURL, httpx2.LocalProtocolError)
        if fault.has(*unusable, httpx2.UnsupportedProtocol):
            return RejectedError(f"{self.base_url} cannot be called: {text}. Correct base_url or the proxy settings.")
        if fault.has(AnswerTooLarge):
            return self.endless(text, call)
        # Where aiohttp was called, its own exception is the proof.
        by_aiohttp = [each for each in fault.chain if isinstance(each, aiohttp.ClientError)]
        before = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
        if fault.nothing_sent or (not by_aiohttp and isinstance(fault.chain[-1], before)):
            return NotSent(f"{self.base_url} cannot be reached: {text}. {fault.advice}")
        if any(isinstance(each, TimeoutError | httpx2.TimeoutException) for each in by_aiohttp or fault.chain):
            return self.silent(call)
        if library is not None:
            return ProviderError(f"The {library} library could not {call.what} at {self.base_url}: {text}.")
        return self.broken(text, call)

    def silent(self, call: HttpCall) -> TransientError:
        """The error for a call without an answer in time."""
        return TransientError(f"{self.base_url} did not answer in time when asked to {call.what}.")

    def broken(self, how: str, call: HttpCall) -> TransientError:
        """The error for a connection that was lost."""
        return TransientError(f"The connection to {self.base_url} broke when asked to {call.what}: {how}.")

    def endless(self, how: str, call: HttpCall) -> TransientError:
        """The error for an answer that is larger than any of its kind."""
        return TransientError(
            f"{self.base_url} answered with {how} when asked to {call.what}, and batchd reads no more. No such answer "
            "is so large: check base_url and any proxy in between, or ask the service."
        )

    def not_json(self, call: HttpCall, *, page: bool, answered: bool = False) -> TransientError:
        """The error for a success without JSON: a login page, a maintenance page, a proxy's message."""
        return TransientError(
            f"{self.base_url} answered with {'an HTML page' if page else 'something that is not JSON'} when asked to "
            f"{call.what}. If this continues, check {self.to_check} and any proxy in between.",
            answered=answered,
        )

    def streams(self) -> RejectedError:
        """The error for a stream of events in place of an answer."""
        return RejectedError(
            f"{self.base_url} streams its answers though it was not asked to, and batchd reads whole answers only. "
            "Look in its settings for a way to turn that off."
        )

    def refusal(self, status: int, text: str, call: HttpCall) -> str:
        """What the service refused, as a sentence. `text` must end with its own full stop."""
        return f"{self.base_url} answered with status {status} when asked to {call.what}: {text}"

    def refused(
        self,
        status: int,
        refusal: str,
        call: HttpCall,
        *,
        problems: Sequence[Problem] = (),
        wait: float | None = None,
        answered: bool = False,
    ) -> BatchdError:
        """The error for a refusal that is not about the key, the account or the address."""
        if status in self.passing or status >= 500:
            return TransientError(refusal, retry_after=wait, answered=answered)
        if call.kind is CallKind.LOOK:
            return self.cannot_look(refusal)
        if call.kind in {CallKind.UPLOAD, CallKind.CREATE}:
            return SubmissionRefused(refusal, problems=problems)
        return ProviderError(refusal)

    def redirected(self, call: HttpCall, to: str = "", advice: str = "") -> ProviderError:
        """The error for a redirect, which no call follows: the key and the rows would go to an unknown address."""
        where = f"{self.base_url} redirects {f'to {to} ' if to else ''}when asked to {call.what}."
        advice = advice or "Set base_url to the service's real address."
        if call.kind is CallKind.CREATE:
            return TransientError(
                f"{where} It may have created the batch all the same, so batchd looks for it before it asks again. "
                f"{advice}"
            )
        return RejectedError(f"{where} batchd does not follow it: your key and your rows would go there. {advice}")

    def key_refused(self, status: int, text: str, call: HttpCall) -> RejectedError:
        """The error for a key that is not valid, or may not do this."""
        return RejectedError(
            f"{self.base_url} refused the key from {self.key_where} when asked to {call.what} (status {status}: {text})"
            f" Put a key there that is valid and may {self.may(call)}; {self.key_renewal}."
        )

    def account_refused(self, status: int, text: str, advice: str) -> RejectedError:
        """The error for an account that cannot pay, or is locked."""
        return RejectedError(
            f"The account at {self.base_url} that the key from {self.key_where} belongs to "
            f"{'cannot pay' if 'credit' in advice else 'is refused'} (status {status}: {text}) {advice}"
        )

    @staticmethod
    def sentence(text: str) -> str:
        """The beginning of a service's text, ended like a sentence."""
        text = text[:_MAX_TEXT]
        return text if text.endswith((".", "!", "?", "…")) else f"{text}."

    @staticmethod
    def cannot_look(refusal: str) -> CannotFind:
        """The error for a service that refuses to list its batches."""
        return CannotFind(f"{refusal} So batchd cannot look through the batches there.")

    def not_offered(self, models: Sequence[str], offered: Collection[str]) -> list[str]:
        """For `check`: a sentence for each of the models that is not among those offered, with the nearest names."""
        by_lower = {name.lower(): name for name in sorted(offered)}
        problems = []
        for model in models:
            if model not in offered:
                close = difflib.get_close_matches(model.lower(), by_lower, n=3)
                hint = f" Did you mean {' or '.join(by_lower[name] for name in close)}?" if close else ""
                problems.append(
                    f"{self.base_url} does not offer the model {model} to this key.{hint} Correct `model` in the route."
                )
        return problems
