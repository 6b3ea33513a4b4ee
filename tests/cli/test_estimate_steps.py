"""`batchd estimate` of a chain shows every step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .cli_kit import here

CONFIG = """\
[providers.holysheep]
plugin = "openai"
base_url = "https://api.holysheep.ai/v1"
api_key = "env:HOLYSHEEP_API_KEY"

[providers.holysheep.prices]
"small" = { input = 1, output = 2 }
"large" = { input = 10, output = 20 }

[routes.reviews]
provider = "holysheep"
model = "small"
then = "why"
params = { max_tokens = 40 }

[routes.reviews.prompt]
plugin = "template"
user = "{{ review }}"

[routes.why]
provider = "holysheep"
model = "large"
params = { max_tokens = 100 }

[routes.why.prompt]
plugin = "template"
user = "Why {{ answer }}? {{ review }}"
columns = ["reason"]
"""


def test_every_step_has_its_price(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    file = tmp_path / "may.csv"
    file.write_text("review\n" + "It came late\n" * 30)
    said = here("--config", config, "estimate", file, "--route", "reviews", "--json", HOLYSHEEP_API_KEY="x")
    [step] = said.json()["steps"]
    own = said.json()["models"][0]
    assert (step["route"], step["model"], step["requests"]) == ("why", "large", 30)
    # It reads the first answer as well, of some twenty words.
    assert step["input_tokens"] > own["input_tokens"] + 30 * 15
    assert step["batch"]["most"] > own["batch"]["most"]
    words = here("--config", config, "estimate", file, "--route", "reviews", HOLYSHEEP_API_KEY="x").out
    assert "Then the step why (holysheep/large" in words or "Then the step why (large" in words


@pytest.mark.slow
def test_the_whole_chain_is_compared_with_what_a_job_may_cost(tmp_path: Path) -> None:
    config, file = tmp_path / "config.toml", tmp_path / "may.csv"
    file.write_text("review\n" + "It came late\n" * 30)
    faults = []

    def estimated(budget: str) -> tuple[dict[str, Any], int, str]:
        config.write_text(CONFIG + budget)
        arguments = ("--config", config, "estimate", file, "--route", "reviews")
        said = here(*arguments, "--json", HOLYSHEEP_API_KEY="x")
        return json.loads(said.out), said.status, here(*arguments, HOLYSHEEP_API_KEY="x").out

    record, status, words = estimated("")
    whole, first, [step] = record["chain"], record["models"][0]["batch"], record["steps"]
    assert status == 0
    assert whole["likely"] == pytest.approx(first["likely"] + step["batch"]["likely"])
    assert whole["most"] == pytest.approx(first["most"] + step["batch"]["most"])
    assert "All steps together: about " in words
    sure, most = first["likely"] + step["batch"]["most"], whole["most"]
    for allowed, expected, how in (
        (first["most"] * 0.9, 6, ""),
        (sure * 0.99, 6, "would be held before the step why: all steps until then can cost at most"),
        ((sure + most) / 2, 0, "may be held before the step why"),
        (most * 1.01, 0, "It fits into the budget"),
    ):
        for table in ("[budget]", "[routes.reviews.budget]", "[routes.why.budget]"):
            _, status, words = estimated(f"\n{table}\nper_job = {allowed:.8f}\n")
            fits = how.startswith("It fits") and table == "[routes.why.budget]"  # which the first step has not
            if (status, fits or how in words) != (expected, True):
                faults.append(f"{table} {allowed}: {status}, {words}")
    assert not faults, "\n".join(faults)
