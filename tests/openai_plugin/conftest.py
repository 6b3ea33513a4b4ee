"""Fixtures: a service, and providers connected to it. All of them are closed at the end."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from openai_support import KEY, Connect, FakeService, serving

from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

SHORT = OpenAIPacing(first_pause=0.002)


@pytest.fixture(scope="session")
def trust() -> ssl.SSLContext:
    """The machine's trust store. Reading it takes longer than most of these tests."""
    return httpx2.create_ssl_context()


@pytest.fixture(autouse=True)
def _read_trust_once(monkeypatch: pytest.MonkeyPatch, trust: ssl.SSLContext) -> None:
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: trust)


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
