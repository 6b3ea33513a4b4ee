"""Which texts of a configuration are secrets: by the words of their name, or by how they look."""

from __future__ import annotations

import pytest

from batchd import Secret

pytestmark = pytest.mark.field("check")

SECRET = [
    ("Cookie", "a=b"),
    ("X-Api-Key", "x"),
    ("authToken", "x"),
    ("Ocp-Apim-Subscription-Key", "x"),
    ("Proxy-Authorization", "x"),
    ("sig", "x"),
    ("X-Session-Id", "x"),
    ("X-Team", "sk-proj-abcdefgh1234"),
    ("X-Team", "Bearer abcdefgh1234"),
    ("note", "3f2b8c1d9e4a7f60b5c2d8e1"),
    ("note", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"),
    ("hook", "https://hooks.example/T01/B02/x9y8z7w6v5u4t3s2r1q0"),
    ("database", "postgres://user:word@host/db"),
]
PLAIN = [
    ("X-Author", "Ada"),
    ("X-Team", "blue"),
    ("X-Tokenizer", "fast"),
    ("Idempotency-Key", "x"),
    ("max_tokens", "100"),
    ("model", "claude-3-5-sonnet-20241022"),
    ("model", "ft:gpt-4o-mini-2024-07-18:acme::AbC123"),
    ("base_url", "https://my-long-resource-name.openai.azure.com/openai/v1"),
    ("api_key", "env:ACME_KEY"),
    ("Cookie", "file:/run/cookie"),
    ("Cookie", ""),
    ("user", "Is this review good or bad? {{ review }}"),
]


@pytest.mark.parametrize(("name", "value"), SECRET)
def test_a_secret(name: str, value: str) -> None:
    assert Secret.suits(name, value)


@pytest.mark.parametrize(("name", "value"), PLAIN)
def test_no_secret(name: str, value: str) -> None:
    assert not Secret.suits(name, value)
