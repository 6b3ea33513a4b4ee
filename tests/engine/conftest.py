"""A daemon in a folder, with a prompt builder of a few lines."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.domain.routing import PluginSpec, Route
from batchd.testing.household import Household

ASKING = """
from batchd import Failure, PromptBuilder, hookimpl


class Ask(PromptBuilder):
    columns = ("answer",)

    def needs(self):
        return ("review",)

    def build(self, row):
        if row["review"] == "unaskable":
            return Failure("unaskable", "This row cannot be asked.")
        return {"messages": [{"role": "user", "content": row["review"]}]}


@hookimpl
def register_prompt_builders(register):
    register("ask", Ask)
"""

EVERY_CASE = os.environ.get("BATCHD_EVERY_CASE") == "1"


def stops() -> Iterator[int]:
    """After how many actions a daemon is stopped: every tenth number from one by chance on; BATCHD_EVERY_CASE=1, each."""
    return itertools.count() if EVERY_CASE else itertools.count(random.randrange(10), 10)


MakeHousehold = Callable[..., Household]


def route(**changes: Any) -> Route:
    """The route of these tests, with small parts so that a small file has several."""
    settings: dict[str, Any] = {
        "name": "reviews",
        "match": ("reviews/**",),
        "provider": "fake",
        "model": "small",
        "prompt": PluginSpec("ask"),
        "part_rows": 3,
    }
    return Route(**(settings | changes))


@pytest.fixture
def make_household(tmp_path: Path) -> MakeHousehold:
    """Make households, each in a folder of its own."""
    plugins = tmp_path / "plugins.d"
    plugins.mkdir()
    (plugins / "asking.py").write_text(ASKING)
    made = 0

    def make(**arguments: Any) -> Household:
        nonlocal made
        made += 1
        arguments.setdefault("routes", (route(),))
        return Household(tmp_path / f"house-{made}", plugin_dir=plugins, **arguments)

    return make


def csv_of(reviews: list[str]) -> str:
    """A file of reviews with their numbers."""
    return "id,review\n" + "".join(f"{number},{review}\n" for number, review in enumerate(reviews))
