"""Fixtures: a service, and providers connected to it. All of them are closed at the end."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from inline_support import KEY, Connect, InlineService, OpenRouterService, serving

from batchd import Pacing
from batchd_inline.provider import InlineProvider


@pytest.fixture(scope="session")
def trust() -> ssl.SSLContext:
    """The machine's trust store. Reading it takes longer than most of these tests."""
    return httpx2.create_ssl_context()


@pytest.fixture(autouse=True)
def _read_trust_once(monkeypatch: pytest.MonkeyPatch, trust: ssl.SSLContext) -> None:
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: trust)


@pytest.fixture
async def openrouter() -> AsyncIterator[OpenRouterService]:
    """OpenRouter."""
    service = OpenRouterService()
    async with serving(service):
        yield service


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """A function that creates providers, connected to this service, with short pauses."""
    providers: list[InlineProvider] = []

    def make(service: InlineService, dialect: str = "openrouter", tries: int = 3, **settings: Any) -> InlineProvider:
        values = {"dialect": dialect, "base_url": service.url, "api_key": KEY, "request_timeout": 5, **settings}
        providers.append(
            InlineProvider(
                InlineProvider.Settings.model_validate(values), pacing=Pacing(tries=tries, first_pause=0.002)
            )
        )
        return providers[-1]

    yield make
    for provider in providers:
        await provider.aclose()
