"""Fixtures: a service, and providers connected to it. All of them are closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai_support import KEY, Connect, FakeService, serving
from tests.loopback import _read_trust_once as _read_trust_once
from tests.loopback import trust as trust

from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

SHORT = OpenAIPacing(first_pause=0.002)


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    """A service that answers what the test sets with `on`."""
    fake = FakeService()
    async with serving(fake.handle) as url:
        fake.url = url
        yield fake


@pytest.fixture
async def connect(service: FakeService) -> AsyncIterator[Connect]:
    """A function that creates providers, connected to the service by default, with short pauses."""
    providers: list[OpenAIProvider] = []

    def make(*, pacing: OpenAIPacing = SHORT, **settings: Any) -> OpenAIProvider:
        values = {"base_url": service.url, "api_key": KEY, "request_timeout": 5, **settings}
        providers.append(OpenAIProvider(OpenAIProvider.Settings.model_validate(values), pacing=pacing))
        return providers[-1]

    yield make
    for provider in providers:
        await provider.aclose()


@pytest.fixture
def provider(connect: Connect) -> OpenAIProvider:
    """A provider with the usual settings."""
    return connect()
