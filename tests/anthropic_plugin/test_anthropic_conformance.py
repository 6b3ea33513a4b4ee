"""The provider `anthropic` passes the conformance kit against a service as it is documented."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic_support import KEY, MODEL, FakeAnthropic

from batchd import Body
from batchd.plugin.catalogue import Catalogue
from batchd.testing.conformance import BatchProviderConformance, LiveProviderConformance

CATALOGUE = Catalogue.load()


class TestBatches(BatchProviderConformance):
    """As a batch provider."""

    module = "batchd_anthropic"
    model = MODEL

    @pytest.fixture(autouse=True)
    def _connected(self, service: FakeAnthropic) -> None:
        self.address = service.url

    def make(self) -> Any:
        return CATALOGUE.create("provider", "anthropic", {"base_url": self.address, "api_key": KEY})


class TestLive(LiveProviderConformance):
    """As a live provider."""

    module = "batchd_anthropic"
    model = MODEL

    @pytest.fixture(autouse=True)
    def _connected(self, service: FakeAnthropic) -> None:
        self.address = service.url

    def make(self) -> Any:
        return CATALOGUE.create("provider", "anthropic", {"base_url": self.address, "api_key": KEY})

    def refused(self) -> Body:
        return {"model": MODEL, "messages": [{"role": "user", "content": "Say one."}], "max_tokens": 0}
