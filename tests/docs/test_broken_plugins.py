"""What docs/plugins.md says of plugins that break."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd import Sink
from batchd.domain.lifecycle import Deliver
from batchd.domain.routing import PluginSpec, Route
from batchd.testing.household import Household

from .pages import DOCS

PAGE = (DOCS / "plugins.md").read_text("utf-8").partition("## When a plugin breaks")[2].partition("\n## ")[0]
PLUGIN = """
from batchd import PromptBuilder, hookimpl

class Clumsy(PromptBuilder):
    def build(self, row):
        if row["review"] == "cannot be built":
            raise KeyError("oh")
        return {"messages": [{"role": "user", "content": row["review"]}]}

    def parse(self, response):
        if response.text == "re: cannot be parsed":
            raise ValueError("ah")
        return {"answer": response.text}

@hookimpl
def register_prompt_builders(register):
    register("clumsy", Clumsy)
"""


class Refusing(Sink):
    """Fails, and then does not."""

    failures = 3

    async def publish(self, job, rows):
        type(self).failures -= 1
        if self.failures >= 0:
            raise RuntimeError("not now")
        with job.outbox.publishing(".done.txt") as file:
            file.write(b"done\n")


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins.d"
    folder.mkdir()
    (folder / "clumsy.py").write_text(PLUGIN)
    return folder


def route(**changes: object) -> Route:
    known = {
        "name": "reviews",
        "match": ("reviews/**",),
        "provider": "fake",
        "model": "small",
        "prompt": PluginSpec("clumsy"),
    }
    return Route(**(known | changes))


async def test_a_row_fails_alone_where_build_or_parse_raises(tmp_path: Path, plugins: Path) -> None:
    assert "with the code `build` or `parse`" in PAGE
    household = Household(tmp_path / "house", routes=[route()], plugin_dir=plugins)
    household.drop("reviews/may.csv", "review\nfine\ncannot be built\ncannot be parsed\n")
    async with household.living() as living:
        await living.take_in()
        await living.drain()
    report = household.report("reviews/may.report.json")
    assert report["rows"]["ok"] == 1
    assert {failure["code"]: failure["rows"] for failure in report["failures"]} == {"build": 1, "parse": 1}
    assert all("Clumsy" in failure["example"] for failure in report["failures"])


async def test_a_sink_that_raises_is_tried_again_and_the_others_are_not_affected(tmp_path: Path, plugins: Path) -> None:
    assert "retries until it works. Other sinks are not affected" in PAGE
    sinks = {"refusing": Refusing(Refusing.Settings())}
    household = Household(
        tmp_path / "house", routes=[route(sinks=("refusing", "csv"))], plugin_dir=plugins, sinks=sinks
    )
    household.drop("reviews/may.csv", "review\nfine\n")
    async with household.living() as living:
        await living.take_in()
        done = await living.drain()
    assert len([action for action in done if isinstance(action, Deliver) and action.sink == "refusing"]) == 4
    assert set(household.outbox()) == {
        "reviews/may.done.txt",
        "reviews/may.report.json",
        "reviews/may.results.csv",
    }
