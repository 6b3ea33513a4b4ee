"""The table of a provider `inline`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from batchd import RejectedError
from batchd_inline.provider import InlineProvider
from batchd_inline.settings import DIALECTS, InlineSettings


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_brings_its_address_its_key_and_its_limits(dialect: Any) -> None:
    settings = InlineSettings.model_validate({"dialect": dialect.name})
    assert (settings.base_url, f"{settings.api_key!r}") == (dialect.base_url, f"Secret('{dialect.key}')")
    assert InlineProvider(settings).limits == dialect.limits


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dialect": "esperanto"}, "openrouter"),
        ({"dialect": "openrouter", "base_url": "https://acme.example/v1"}, "api_key is missing"),
        ({"dialect": "openrouter", "base_url": "acme.example", "api_key": "env:K"}, "should be an address"),
        ({"dialect": "openrouter", "base_url": "https://u:p@acme.example", "api_key": "env:K"}, "user or a password"),
        ({"dialect": "openrouter", "base_url": "https://acme.example/?v=1", "api_key": "env:K"}, "before the `\\?`"),
        ({"dialect": "openrouter", "extra_body": {"requests": []}}, "must not hold requests"),
        ({"dialect": "openrouter", "purpose": "batch"}, "purpose"),
    ],
)
def test_what_cannot_be_is_refused_in_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        InlineSettings.model_validate(settings)


def test_no_secret_is_shown() -> None:
    settings = InlineSettings.model_validate(
        {"dialect": "openrouter", "api_key": "sk-or-v1-0123456789abcdef", "headers": {"X-Api-Key": "0123456789abcdef"}}
    )
    assert "0123456789abcdef" not in f"{settings!r} {settings.model_dump()}"
    assert settings.sent_headers()["X-Api-Key"] == "0123456789abcdef"


def test_a_key_with_a_line_break_is_never_sent(tmp_path: Any) -> None:
    (tmp_path / "key").write_text("one\ntwo")
    settings = InlineSettings.model_validate({"dialect": "openrouter", "api_key": f"file:{tmp_path / 'key'}"})
    with pytest.raises(RejectedError, match="cannot be a key"):
        settings.sent_headers()
