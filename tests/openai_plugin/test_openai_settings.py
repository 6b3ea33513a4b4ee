"""The table in config.toml: what is refused, what is sent, and what is never sent or shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openai_support import KEY, Connect, FakeService, batch, remote
from pydantic import ValidationError

from batchd import BatchProvider, Limits, RejectedError
from batchd_openai.provider import OpenAIProvider
from batchd_openai.settings import OpenAISettings


def parsed(**table: Any) -> OpenAISettings:
    return OpenAISettings.model_validate({"base_url": "https://acme.example/v1", "api_key": "env:ACME_KEY", **table})


@pytest.mark.slow
def test_neither_the_plugin_nor_its_settings_import_the_sdk() -> None:
    script = (
        "import sys, batchd_openai\n"
        "kinds = {}\n"
        "batchd_openai.register_providers(kinds.__setitem__)\n"
        "provider = kinds['openai'](kinds['openai'].Settings(base_url='https://acme.example/v1', api_key='x-123456'))\n"
        "heavy = {'openai', 'httpx2', 'aiohttp', 'anyio'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_opening_imports_the_sdk_before_any_call() -> None:
    script = (
        "import asyncio, sys\n"
        "from batchd_openai.provider import OpenAIProvider\n"
        "provider = OpenAIProvider(OpenAIProvider.Settings())\n"
        "before = 'openai' in sys.modules\n"
        "asyncio.run(provider.aopen())\n"
        "sys.exit(0 if not before and 'openai' in sys.modules else 'not by opening')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_it_is() -> None:
    assert issubclass(OpenAIProvider, BatchProvider)
    assert OpenAIProvider.limits == Limits(50_000, 95_000_000, 30_000_000, None)
    settings = OpenAISettings()
    assert settings.base_url == "https://api.openai.com/v1"
    assert settings.api_key.where == "the environment variable OPENAI_API_KEY"


@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("https://acme.example/v1?api-version=preview", "query"),
        ("https://acme.example/v1#x", "must end before"),
        ("acme.example/v1", "should be an address"),
        ("ftp://acme.example", "should be an address"),
        ("https://", "should be an address"),
        ("https://user:word@acme.example/v1", "api_key"),
    ],
)
def test_a_base_url_that_cannot_work_is_refused(base_url: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        parsed(base_url=base_url)


def test_a_slash_at_the_end_does_not_matter() -> None:
    assert parsed(base_url=" https://acme.example/v1/ ").base_url == "https://acme.example/v1"


@pytest.mark.parametrize("host", ["acme.example", "notopenai.com", "openai.com.acme.example"])
def test_openais_key_is_not_sent_to_others_by_default(host: str) -> None:
    with pytest.raises(ValidationError, match="api_key is missing"):
        OpenAISettings(base_url=f"https://{host}/v1")
    OpenAISettings(base_url="https://eu.api.openai.com/v1")


@pytest.mark.parametrize(
    "table",
    [
        {"extra_body": {"input_file_id": "x"}},
        {"extra_body": {"metadata": "x"}},
        {"headers": {"X-A": "a\nb"}},
        {"headers": {"X-A": "ünlich"}},
        {"headers": {"X-A": 3}},
        {"slowest_upload": 0},
        {"request_timeout": "soon"},
        {"base": "x"},
    ],
)
def test_other_invalid_values_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(**table)


def test_secrets_are_not_shown() -> None:
    settings = parsed(api_key=KEY, headers={"X-Api-Key": KEY, "X-Team": "blue"}, query={"token": KEY})
    shown = repr(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert KEY not in shown
    assert "blue" in shown


async def test_headers_and_query_go_with_every_call(
    service: FakeService, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_PASS", "gateway-pass-1")
    service.on("GET", "/batches/batch_1", batch())
    provider = connect(
        organization="org-1",
        project="proj-1",
        headers={"X-Team": "blue", "X-Gateway": "env:GATEWAY_PASS"},
        query={"api-version": "preview"},
    )
    await provider.poll(remote())
    (call,) = service.received
    assert call.query == {"api-version": "preview"}
    assert call.headers["X-Team"] == "blue"
    assert call.headers["X-Gateway"] == "gateway-pass-1"
    assert call.headers["OpenAI-Organization"] == "org-1"
    assert call.headers["OpenAI-Project"] == "proj-1"


async def test_openais_environment_variables_are_not_sent_to_others(
    service: FakeService, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-of-an-admin")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-of-ours")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Internal: of-ours\nAuthorization: Bearer of-ours")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    service.on("GET", "/batches/batch_1", batch())
    await connect().poll(remote())
    (call,) = service.received
    sent = str(dict(call.headers))
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert not any(ours in sent for ours in ("of-openai", "of-an-admin", "of-ours"))


async def test_a_rotated_key_needs_no_restart(service: FakeService, connect: Connect, tmp_path: Path) -> None:
    file = tmp_path / "key"
    service.on("GET", "/batches/batch_1", batch())
    provider = connect(api_key=f"file:{file}")
    with pytest.raises(RejectedError, match="cannot be read"):
        await provider.poll(remote())
    for key in ("sk-first-1234", "sk-second-5678"):
        file.write_text(f"{key}\n")
        await provider.poll(remote())
    assert [call.headers["Authorization"] for call in service.received] == [
        "Bearer sk-first-1234",
        "Bearer sk-second-5678",
    ]


async def test_a_newline_after_a_key_is_removed(
    service: FakeService, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", f" {KEY}\n")
    service.on("GET", "/batches/batch_1", batch())
    await connect(api_key="env:ACME_KEY").poll(remote())
    assert service.received[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(
    service: FakeService, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("sk-first-1234\nsk-second-5678…\n")
    with pytest.raises(RejectedError, match="cannot be a key") as raised:
        await connect(api_key=f"file:{file}").poll(remote())
    assert "sk-" not in str(raised.value)
    assert not service.received


async def test_the_secret_of_a_header_is_masked_too(service: FakeService, connect: Connect) -> None:
    service.on("GET", "/batches/batch_1", (400, {"error": {"message": "Not gateway-pass-1."}}))
    with pytest.raises(Exception, match=r"Not …\.") as raised:
        await connect(headers={"X-Api-Key": "gateway-pass-1"}).poll(remote())
    assert "gateway-pass-1" not in str(raised.value)


async def test_closing_twice_and_before_any_call(service: FakeService, connect: Connect) -> None:
    provider = connect()
    await provider.aclose()
    service.on("GET", "/batches/batch_1", batch())
    await provider.poll(remote())
    await provider.aclose()
    await provider.aclose()
