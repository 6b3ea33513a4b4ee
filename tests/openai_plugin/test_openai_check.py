"""What `batchd check` says: nothing if all is well, else a sentence for each problem, with how to fix it."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from openai_support import KEY, Connect, FakeService, batch, hang_up, named

from batchd_openai.live import MAX_ANSWER
from batchd_openai.provider import OpenAIProvider

MODELS = {
    "object": "list",
    "data": [{"id": "deepseek-v3.2"}, {"id": "gpt-4.1-mini"}, {"id": "models/gemini-2.5-flash"}],
}
BATCHES = {"object": "list", "data": [batch()], "has_more": True}


async def test_all_is_well(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/models", MODELS).on("GET", "/batches", BATCHES)
    assert list(await provider.check(["deepseek-v3.2", "gemini-2.5-flash", "models/gemini-2.5-flash"])) == []
    assert {call.method for call in service.received} == {"GET"}


async def test_a_model_that_is_not_offered(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/models", MODELS).on("GET", "/batches", BATCHES)
    first, second = await provider.check(["Deepseek-V3.1", "gpt-4.1-mini", "zzz"])
    assert "the model Deepseek-V3.1" in first
    assert "Did you mean deepseek-v3.2?" in first
    assert "zzz" in second
    assert "Did you mean" not in second


@pytest.mark.parametrize("models", [{"object": "list", "data": []}, {**MODELS, "has_more": True}])
async def test_an_incomplete_list_proves_nothing(service: FakeService, provider: OpenAIProvider, models: Any) -> None:
    service.on("GET", "/models", models).on("GET", "/batches", BATCHES)
    assert list(await provider.check(["anything"])) == []


async def test_a_refused_key(service: FakeService, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", KEY)
    service.on("GET", "/models", (401, {"error": {"message": f"Bad key {KEY}"}}))
    (sentence,) = await connect(api_key="env:ACME_KEY").check(["m"])
    assert "ACME_KEY" in sentence
    assert KEY not in sentence


async def test_a_missing_key(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_KEY", raising=False)
    (sentence,) = await connect(api_key="env:ACME_KEY").check(["m"])
    assert "ACME_KEY is not set" in sentence


async def test_nothing_listens_at_the_address(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        (sentence,) = await connect(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1").check(["m"])
    assert "cannot be reached: Connection refused. Check base_url and the network." in sentence


async def test_no_tls_there(service: FakeService, connect: Connect) -> None:
    (sentence,) = await connect(base_url=service.url.replace("http:", "https:")).check(["m"])
    assert "TLS" in sentence


@pytest.mark.parametrize("answer", [404, (200, "<html>Welcome</html>")], ids=named)
async def test_a_base_url_without_its_path(service: FakeService, connect: Connect, answer: Any) -> None:
    base_url = service.url.removesuffix("/v1")
    service.on("GET", "/models", answer)
    sentence, *_ = await connect(base_url=base_url).check(["m"])
    assert f'base_url = "{base_url}/v1"' in sentence


LIST = {"object": "list", "data": []}
HTML = (200, "<html>Welcome</html>")


@pytest.mark.parametrize(
    ("batches", "models", "there", "words"),
    [
        (BATCHES, 404, True, "lists its batches"),
        (404, LIST, False, "has no Batch API: it answered with status 404"),
        (404, 404, False, "status 404"),
        (405, LIST, False, "status 405"),
        ((501, "not here"), LIST, False, "status 501"),
        (HTML, LIST, False, "an HTML page"),
        (HTML, HTML, None, "an HTML page"),
        (403, LIST, False, "offers models to this key, and no batches"),
        (403, 401, None, "refused the key"),
        (401, LIST, None, "refused the key"),
        (500, LIST, None, "status 500"),
        (503, LIST, None, "status 503"),
        ({"status": "ok"}, LIST, None, "did not answer with a list"),
        (hang_up, LIST, None, "broke"),
    ],
    ids=lambda value: named(value)[:30],
)
async def test_whether_there_are_batches(
    service: FakeService, provider: OpenAIProvider, batches: Any, models: Any, there: bool | None, words: str
) -> None:
    service.on("GET", "/batches", batches).on("GET", "/models", models)
    found = await provider.find_batches()
    assert (found.there, words in found.why) == (there, True), found.why
    assert {call.method for call in service.received} == {"GET"}
    assert service.calls("GET", "/batches")[0].query == {"limit": "1"}


@pytest.mark.parametrize("status", [404, 405])
async def test_a_service_with_files_may_have_batches_that_it_cannot_list(
    service: FakeService, provider: OpenAIProvider, status: int
) -> None:
    # Live calls would cost twice as much, so that is for a person to say.
    service.on("GET", "/batches", status).on("GET", "/models", LIST).on("GET", "/files", LIST)
    found = await provider.find_batches()
    assert found.there is None
    assert f"status {status} when asked to list its batches, and lists files" in found.why


@pytest.mark.slow
async def test_a_list_that_is_too_large_is_no_answer_to_a_row(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/batches", (200, "x" * (MAX_ANSWER + 1)))
    found = await provider.find_batches()
    assert found.there is None
    assert f"{service.url}/batches sends more than 32 MB, and batchd reads no more. Check base_url" in found.why
    assert "max_tokens" not in found.why


async def test_a_service_without_a_list_of_models_may_be_fine(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/models", 404).on("GET", "/batches", BATCHES)
    assert list(await provider.check(["m"])) == []
    service.on("GET", "/batches", 404)
    assert len(await provider.check(["m"])) == 1


async def test_a_busy_service_is_reported_as_busy(service: FakeService, provider: OpenAIProvider) -> None:
    service.on("GET", "/models", 503)
    (sentence,) = await provider.check(["m"])
    assert "status 503" in sentence
