"""What a service would refuse is not sent: such a request fails its row by name while it is planned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.domain.routing import PluginSpec
from batchd.requests.rules import request_faults
from batchd.work.part_files import read_results
from batchd.work.planning.plan import PlanDone, plan

from ..requests.test_rules import BODIES, BROKEN, CHAT, GOOD
from .conftest import plan_task

PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=50
)

RAW = '''
from batchd import PromptBuilder, hookimpl


class Raw(PromptBuilder):
    """Sends what stands in the column, as it stands there."""

    def build(self, row):
        return row["body"]


class Broken(Raw):
    """Encodes what is no JSON."""

    def encode(self, rows, common):
        for row in rows:
            yield row["body"].encode()


@hookimpl
def register_prompt_builders(register):
    register("raw", Raw)
    register("broken", Broken)
'''


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "raw.py").write_text(RAW)
    return folder


class Planned:
    """A part of these bodies, planned."""

    def __init__(self, folder: Path, plugins: Path, bodies: list[Any], kind: str = "raw", **more: Any) -> None:
        builder = PluginSpec(kind, plugin_dir=str(plugins))
        self.done: PlanDone = plan(plan_task(folder, [[body] for body in bodies], builder, columns=["body"], **more))
        self.requests = [msgspec.json.decode(line) for line in (folder / "requests.jsonl").read_bytes().splitlines()]
        failures = folder / "results.1.jsonl"
        self.failed = (
            {line.row: (line.code, line.message) for line in read_results(failures)} if self.done.failed else {}
        )


@pytest.mark.parametrize(
    ("line", "code", "says"),
    # The builder leaves the model to the route; what it says itself wins.
    [(line, code, says) for line, code, param, says in BROKEN if param.startswith("body.") and "model" in line["body"]],
)
def test_a_request_that_breaks_a_rule_fails_its_row_and_the_others_are_sent(
    tmp_path: Path, plugins: Path, line: dict[str, Any], code: str, says: str
) -> None:
    good = next(one["body"] for one in GOOD if one["url"] == line["url"])
    planned = Planned(tmp_path, plugins, [good, line["body"], good], endpoint=line["url"])
    assert [request["custom_id"] for request in planned.requests] == ["job-0", "job-2"]
    assert planned.failed.keys() == {1}
    assert planned.failed[1][0] == code
    assert says in (planned.failed[1][1] or "")
    assert (planned.done.requests, planned.done.failed) == (2, 1)


def test_a_request_for_another_model_than_the_route_names_fails_its_row(tmp_path: Path, plugins: Path) -> None:
    asked = [{"role": "user", "content": "Hi"}]
    planned = Planned(tmp_path, plugins, [{"messages": asked}, {"messages": asked, "model": "large"}])
    assert [request["body"]["model"] for request in planned.requests] == ["small"]
    code, message = planned.failed[1]
    assert code == "mismatched_model"
    assert "“large”" in (message or "")
    assert "files in this folder are for “small”" in (message or "")
    assert "the others" not in (message or "")


def test_what_the_route_adds_is_looked_at_too(tmp_path: Path, plugins: Path) -> None:
    asked = {"messages": [{"role": "user", "content": "Hi"}]}
    planned = Planned(tmp_path, plugins, [asked], common={"model": "small", "stream": True})
    assert planned.failed[0][0] == "streaming_unsupported"


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', '{"model": "small"'])
def test_a_builder_that_encodes_no_object_fails_row_by_row(tmp_path: Path, plugins: Path, body: str) -> None:
    good = json.dumps(GOOD[0]["body"])
    planned = Planned(tmp_path, plugins, [body, good], "broken")
    assert planned.failed[0][0] == "build"
    assert [request["custom_id"] for request in planned.requests] == ["job-1"]


@PATIENT
@given(st.lists(BODIES, max_size=5), st.sampled_from([CHAT, "/v1/embeddings", "/v1/other"]))
@pytest.mark.slow
def test_whatever_is_built_a_service_takes_what_is_sent(
    tmp_path: Path, plugins: Path, bodies: list[dict[str, Any]], endpoint: str
) -> None:
    planned = Planned(tmp_path, plugins, bodies, endpoint=endpoint)
    for request in planned.requests:
        assert request_faults(request, allowed=[endpoint]) == []
        assert request["body"]["model"] == "small"
    assert len(planned.requests) + len(planned.failed) == len(bodies)
    refused = {number for number, body in enumerate(bodies) if _refused({"model": "small", **body}, endpoint)}
    assert planned.failed.keys() == refused


def _refused(body: dict[str, Any], endpoint: str) -> bool:
    line = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
    return bool(request_faults(line, allowed=[endpoint])) or body["model"] != "small"
