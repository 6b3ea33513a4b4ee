"""Embeddings: what is asked, and a vector in each form that services write it in."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from batchd import Failure, Response, Row
from batchd.answers.meaning import read_line
from batchd.domain.routing import PluginSpec, Route
from batchd.money.budget import Ceilings, SpendingLimits
from batchd.money.pricing import UNIT, Price
from batchd.testing.conformance import PromptBuilderConformance
from batchd.testing.fakes import FakeService
from batchd.testing.household import Household
from batchd_prompts.embedding import EmbeddingBuilder, EmbeddingSettings

pytestmark = pytest.mark.field("questions")

VECTOR = [0.5, -0.25, 1.0]
PACKED = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()


def builder(**settings: Any) -> EmbeddingBuilder:
    return EmbeddingBuilder(EmbeddingSettings.model_validate({"input": ["text"], **settings}))


class TestEmbedding(PromptBuilderConformance):
    """The kit for prompts."""

    def make(self) -> EmbeddingBuilder:
        return builder(dimensions=3)

    def rows(self) -> Sequence[Row]:
        return [Row(0, ["text"], ["Great."]), Row(1, ["text"], ["Awful."])]

    def answers(self) -> Sequence[str]:
        return []


def test_a_text_becomes_a_request() -> None:
    row = Row(0, ("title", "text"), ("Jam", "Good"))
    assert builder().build(row) == {"input": "Good"}
    joined = builder(input=["title", "text"], dimensions=3, encoding_format="base64")
    assert joined.build(row) == {"input": "Jam\nGood", "dimensions": 3, "encoding_format": "base64"}
    assert joined.sets == ("input", "dimensions", "encoding_format")
    assert builder(input=None, text="query: {{ text }}").build(row) == {"input": "query: Good"}
    empty = builder().build(Row(0, ("text",), (" ",)))
    assert isinstance(empty, Failure)
    for settings in ({"input": None}, {"text": "{{ text }}"}, {"column": " "}, {"dimensions": 0}):
        with pytest.raises(ValidationError):
            builder(**settings)


def test_vectors_are_read_in_all_their_forms() -> None:
    forms: list[Any] = [
        {"data": [{"object": "embedding", "index": 0, "embedding": VECTOR}]},
        {"data": [{"embedding": PACKED}]},
        {"data": [{"embedding": {"float": VECTOR}}]},
        {"data": [VECTOR]},
        {"embeddings": [VECTOR]},
        {"embeddings": {"float": [VECTOR]}},
        {"embeddings": [{"values": VECTOR}]},
        {"embedding": {"values": VECTOR}},
        {"embedding": VECTOR},
        {"data": [{"embedding": [VECTOR]}]},
    ]
    faults = []
    for body in forms:
        line = {"custom_id": "a-0", "response": {"status_code": 200, "body": body}, "error": None}
        outcome = read_line(json.dumps(line).encode()).outcome
        read = builder().parse(outcome) if isinstance(outcome, Response) else outcome
        if read != {"embedding": VECTOR}:
            faults.append(f"{body}: {read}")
    assert not faults, "\n".join(faults)
    small = base64.b64encode(struct.pack("4b", 1, -2, 3, 4)).decode()
    assert builder(dimensions=4).parse(Response({"data": [{"embedding": small}]})) == {"embedding": [1, -2, 3, 4]}


def test_what_is_no_vector_fails_by_name_and_is_not_asked_again() -> None:
    bodies: dict[str, Any] = {
        "2 vectors": {"data": [{"embedding": VECTOR}, {"embedding": VECTOR}]},
        "0 vectors": {"data": []},
        "not base64": {"data": [{"embedding": "nonsense!"}]},
        "numbers of 32 bits": {"data": [{"embedding": "AAA="}]},
        "something else than numbers": {"data": [{"embedding": [1, "2"]}]},
        "no list": {"data": [{"embedding": []}]},
        "3 numbers, and 8": {"data": [{"embedding": VECTOR}]},
    }
    for words, body in bodies.items():
        failure = builder(dimensions=8).parse(Response(body))
        assert isinstance(failure, Failure)
        assert words in failure.message
        assert (failure.code, failure.transient) == ("no_vector", False)


async def test_a_whole_job_within_a_budget(tmp_path: Path) -> None:
    class Vectors(FakeService):
        def answered(self, request: dict[str, Any]) -> Any:
            result = super().answered(request)
            body = {"data": [{"embedding": VECTOR}], "usage": {"prompt_tokens": 2, "total_tokens": 2}}
            return type(result)(result.custom_id, Response(body))

    route = Route(
        name="texts",
        match=("texts/**",),
        provider="fake",
        model="small",
        endpoint="/v1/embeddings",
        prompt=PluginSpec("embedding", {"input": ["text"]}),
    )
    service = Vectors(lambda body: str(body["input"]))
    budget = SpendingLimits(overall=Ceilings(per_job=100 * UNIT))
    prices = {"small": Price(1_000_000, 1_000_000)}  # type: ignore[arg-type]  # whole numbers do
    house = Household(tmp_path, service=service, routes=[route], budget=budget, prices=prices)
    house.drop("texts/may.csv", "text\ngood\nbad\ngood\n")
    async with house.living() as daemon:
        await daemon.take_in()
        await daemon.drain()
    lines = house.outbox()["texts/may.results.csv"].decode().splitlines()
    assert lines == [
        "text,embedding,status,error",
        *(f'{each},"[0.5,-0.25,1.0]",ok,' for each in ("good", "bad", "good")),
    ]
    assert service.executed.total() == 2
    assert house.report("texts/may.report.json")["cost"]["actual"] == 4.0
