"""`batchd estimate` of a chain shows every step."""

from __future__ import annotations

from pathlib import Path

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
