"""Fixtures: a service, and providers connected to it. They are skipped without the package `anthropic`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anthropic_support import KEY, MODEL, Connect, FakeAnthropic, running
from tests.loopback import _read_trust_once as _read_trust_once
from tests.loopback import trust as trust

from batchd import Submission
from batchd_anthropic.provider import PACKAGE, AnthropicProvider


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say why nothing is tested where the package is not installed."""
    if not PACKAGE.is_installed:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="the package anthropic is not installed: batchd[anthropic]"))


@pytest.fixture
def service() -> Iterator[FakeAnthropic]:
    """A service with nothing in it."""
    with running() as fake:
        yield fake


@pytest.fixture
async def connect(service: FakeAnthropic) -> AsyncIterator[Connect]:
    """A function that creates providers, connected to the service by default."""
    providers: list[AnthropicProvider] = []

    def make(**settings: Any) -> AnthropicProvider:
        values = {"base_url": service.url, "api_key": KEY, "request_timeout": 5, **settings}
        providers.append(AnthropicProvider(AnthropicProvider.Settings.model_validate(values)))
        return providers[-1]

    yield make
    for provider in providers:
        await provider.aclose()


@pytest.fixture
def provider(connect: Connect) -> AnthropicProvider:
    """A provider with the usual settings."""
    return connect()


@pytest.fixture
def make_submission(tmp_path: Path) -> Callable[..., Submission]:
    """A function that writes a batch's input file."""

    def make(*bodies: dict[str, Any], key: str = "k3j9x2ab", endpoint: str = "/v1/chat/completions") -> Submission:
        file = tmp_path / f"{key}.jsonl"
        lines = [
            {"custom_id": f"job00001-{number}", "method": "POST", "url": endpoint, "body": {"model": MODEL, **body}}
            for number, body in enumerate(bodies)
        ]
        file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        return Submission(key, file, len(bodies), file.stat().st_size, MODEL, endpoint, timeout=5.0)

    return make
