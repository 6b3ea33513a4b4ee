"""Fixtures: a service, and providers connected to it. All of them are closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from inline_support import KEY, Connect, InlineService, OpenRouterService, serving
from tests.loopback import _read_trust_once as _read_trust_once
from tests.loopback import trust as trust

from batchd import Pacing
from batchd_inline.provider import InlineProvider


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
