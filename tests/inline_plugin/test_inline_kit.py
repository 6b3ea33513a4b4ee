"""The provider passes the conformance kit, with each kind of service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from inline_support import KEY, MODEL, InlineService, OpenRouterService, in_a_thread
from mistral_service import MistralService
from xai_service import XAIService

from batchd.testing.conformance import BatchProviderConformance
from batchd_inline.provider import InlineProvider


class TestOpenRouter(BatchProviderConformance):
    """Requests in the create call, answers in the poll."""

    module = "batchd_inline"
    model = MODEL
    pause = 0.002
    dialect = "openrouter"
    kind: type[InlineService] = OpenRouterService
    url = ""

    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        with in_a_thread(self.kind()) as url:
            self.url = url
            yield

    def make(self) -> Any:
        settings = {"dialect": self.dialect, "base_url": self.url, "api_key": KEY}
        return InlineProvider(InlineProvider.Settings.model_validate(settings))


class TestMistral(TestOpenRouter):
    """Requests in the create call, answers in the job."""

    dialect = "mistral"
    kind = MistralService


class TestXAI(TestOpenRouter):
    """A file ahead, answers in pages."""

    dialect = "xai"
    kind = XAIService
