"""docs/costs.md: the comparison it shows is what the command prints, and its numbers are those of the code."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import tomli_w

from batchd.money import published_prices as published_prices
from batchd.money import tokens
from batchd.money.estimating import GUESS
from batchd.money.sampled_tokens import COUNTED_FIRST, COUNTED_OF_EACH
from batchd.money.tokens import BYTES_PER_TOKEN, IMAGE_TOKENS
from batchd.work.planning.estimate import LARGE, SAMPLE

from ..durability.rig import shared_nursery
from .pages import DOCS, blocks

PAGE = DOCS / "costs.md"
TEXT = PAGE.read_text("utf-8")
ROUTE = {"provider": "openai", "model": "m", "prompt": {"plugin": "template", "user": "{{ a }}"}}


@pytest.mark.slow
def test_the_comparison_is_what_the_command_prints(tmp_path: Path) -> None:
    [config] = re.findall(r"<!-- compared -->\n```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    [command] = re.findall(r"<!-- compare -->\n```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    [printed] = blocks(PAGE, "text")
    (tmp_path / "config.toml").write_text(tomli_w.dumps({"routes": {"r": ROUTE}}) + config)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "batchd"
    done = shared_nursery().run(words[1:], folder=tmp_path, environment=os.environ, timeout=60)
    assert (done.returncode, done.stdout) == (0, printed.text), done.stderr


def test_the_comparison_is_that_of_ten_thousand_requests_at_half_price() -> None:
    """So that nobody changes page and code together: the numbers are people's own."""
    [printed] = blocks(PAGE, "text")
    assert re.findall(r"(\S+): batch (\S+) USD", printed.text) == [
        ("holysheep/deepseek-v3.2", "0.42"),
        ("openai/gpt-4o", "2.25"),
        ("holysheep/gpt-4.1", "4.80"),
    ]
    [config] = re.findall(r"<!-- compared -->\n```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert tomllib.loads(config)["providers"]["openai"]["prices"]["gpt-4o"]["input"] == 2.5


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    flat = " ".join(TEXT.split())
    assert f"{GUESS} tokens per answer" in flat
    assert f"more than {LARGE // 2**20} MiB, batchd counts about {SAMPLE // 2**20} MiB" in flat
    assert f"{BYTES_PER_TOKEN} bytes of text count as a token" in flat
    assert f"another file or a recording counts as {IMAGE_TOKENS:,} tokens" in flat
    assert (COUNTED_FIRST, COUNTED_OF_EACH) == (200, 40)
    assert "the first 200 requests of a part, then 40 of the next 200" in flat
    assert f"Published prices are in {published_prices.CURRENCY}" in flat
    assert tokens.STAND_IN == "o200k_base", "OpenAI's latest"
