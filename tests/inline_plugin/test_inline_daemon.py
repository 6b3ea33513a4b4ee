"""The installed `batchd` with OpenRouter's batches, as a process over real HTTP."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inline_support import KEY, MODEL, OpenRouterService, in_a_thread

pytestmark = [pytest.mark.slow, pytest.mark.field("services")]

CONFIG = """
[intake]
settle = "100ms"
rescan = "100ms"

[workers]
number = 1

[providers.openrouter]
plugin = "inline"
base_url = "{url}"
api_key = "env:OPENROUTER_KEY"
poll = "100ms"
linger = "0s"
create_timeout = "500ms"

[routes.reviews]
provider = "openrouter"
model = "{model}"
prompt = {{ plugin = "template", user = "Review: {{{{ review }}}}" }}
params = {{ max_tokens = 50 }}
"""


def test_a_dropped_file_comes_back_and_a_lost_create_is_paid_once(tmp_path: Path) -> None:
    service = OpenRouterService()
    # It ends at once: what shows only at its end is looked for every five minutes.
    service.lose_creates = True
    for folder in ("inbox/reviews", "outbox", "archive", "rejected"):
        (tmp_path / folder).mkdir(parents=True)
    rows = "".join(f"{number},review {number}\n" for number in range(10))
    (tmp_path / "inbox" / "reviews" / "may.csv").write_text(f"id,review\n{rows}")
    environment = {**os.environ, "OPENROUTER_KEY": KEY, "NO_COLOR": "1"}
    with in_a_thread(service) as url:
        (tmp_path / "config.toml").write_text(CONFIG.format(url=url, model=MODEL))
        command = [sys.executable, "-m", "batchd", "--config", str(tmp_path / "config.toml"), "once"]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False, cwd=tmp_path
        )
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "outbox" / "reviews" / "may.results.csv").open(newline="", encoding="utf-8") as file:
        results = list(csv.DictReader(file))
    assert [row["id"] for row in results] == [str(number) for number in range(10)]
    assert {row["status"] for row in results} == {"ok"}
    asked = [each["custom_id"] for batch in service.batches.values() for each in batch["requests"]]
    assert (len(asked), service.count("POST /batches")) == (10, 1)
    report = json.loads((tmp_path / "outbox" / "reviews" / "may.report.json").read_text())
    assert report["tokens"]["input"] == 10 * 11
