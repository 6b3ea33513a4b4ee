"""The tests of a LiveProvider."""

from __future__ import annotations

import asyncio
from typing import Any

from ...contracts import LiveProvider
from ...model import Body, Failure
from .plugin import explained, passes_cancellation, skip
from .provider import ProviderConformance, outcome_is_sound


class LiveProviderConformance(ProviderConformance):
    """Inherit it and write `make`; with `refused` it tests more.

    class TestMyProvider(LiveProviderConformance):
        def make(self) -> MyProvider:
            return MyProvider(MyProvider.Settings(base_url=..., api_key="env:KEY"))
    """

    def refused(self) -> Body | None:
        """The body of a request that the service refuses, None if it refuses none."""
        return None

    async def test_an_answer_is_a_result_under_its_custom_id(self, provider: LiveProvider[Any]) -> None:
        """The Result has a Response or a Failure, and the custom_id of the request."""
        for number, body in enumerate(self.bodies()):
            result = await provider.complete(f"job-{number}", dict(body), endpoint=self.endpoint)
            outcome_is_sound(result)
            assert result.custom_id == f"job-{number}", f"Asked as job-{number}, answered as {result.custom_id!r}."

    async def test_many_at_a_time_keep_their_own_answers(self, provider: LiveProvider[Any]) -> None:
        """batchd makes hundreds of calls at a time."""
        bodies = self.bodies()
        calls = [
            provider.complete(f"job-{number}", dict(bodies[number % len(bodies)]), endpoint=self.endpoint)
            for number in range(20)
        ]
        results = await asyncio.gather(*calls)
        custom_ids = {f"job-{number}" for number in range(20)}
        got = [getattr(result, "custom_id", None) for result in results]
        wrong = [
            f"job-{number} as {each}"
            for number, each in enumerate(got)
            if each != f"job-{number}" and each in custom_ids
        ]
        assert not wrong, f"Of twenty calls at a time these came back under another's name: {', '.join(wrong)}."

    async def test_a_refused_request_is_a_failure(self, provider: LiveProvider[Any]) -> None:
        """It fails the row alone, so it is returned and not raised."""
        body = self.refused()
        if body is None:
            skip("no refused() body to ask about")
        with explained(
            "complete() of a request that the service refuses raised",
            ". Return a Result with a Failure; TransientError is for a busy service, RejectedError for a bad key.",
        ):
            result = await provider.complete("job-0", dict(body), endpoint=self.endpoint)
        assert isinstance(result.outcome, Failure), f"A refused request came back as {result.outcome!r}."
        assert not result.outcome.transient, f"{result.outcome!r} would be asked again, and refused again."

    async def test_a_cancellation_passes_through(self, provider: LiveProvider[Any]) -> None:
        """The daemon cancels running calls when it stops."""
        call = provider.complete("job-0", dict(self.bodies()[0]), endpoint=self.endpoint)
        await passes_cancellation(call, "complete()")
