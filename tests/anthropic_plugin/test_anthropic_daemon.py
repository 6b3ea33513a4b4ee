"""The installed `batchd` with Anthropic's batches and calls, as a process over real HTTP."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from anthropic_support import KEY, MODEL

if TYPE_CHECKING:
    from anthropic_support import FakeAnthropic

pytestmark = [pytest.mark.slow, pytest.mark.field("services")]

CONFIG = """
[intake]
settle = "100ms"
rescan = "100ms"

[workers]
number = 1

[providers.anthropic]
service = "anthropic"
base_url = "{url}"
poll = "100ms"
linger = "0s"
create_timeout = "1s"
prices."{model}" = {{ input = 1, output = 5, cached_input = 0.1 }}

[providers.calls]
service = "anthropic"
base_url = "{url}"
mode = "live"

[routes.reviews]
provider = "anthropic"
model = "{model}"
params = {{ max_tokens = 50 }}
prompt = {{ plugin = "template", system = "Be brief.", user = "{{{{ review }}}}" }}

[routes.quick]
provider = "calls"
model = "{model}"
prompt = {{ plugin = "template", user = "Review: {{{{ review }}}}" }}
"""


def results(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a delivered file."""
    with (folder / "outbox" / name / "may.results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow(seconds=5)
def test_dropped_files_come_back_and_a_lost_create_is_paid_once(tmp_path: Path, service: FakeAnthropic) -> None:
    service.polls = 0
    service.plan("POST", "/v1/messages/batches", "lose")
    for folder in ("inbox/reviews", "inbox/quick", "outbox", "archive", "rejected"):
        (tmp_path / folder).mkdir(parents=True)
    rows = "".join(f"{number},{'' if number == 3 else f'review {number}'}\n" for number in range(6))
    (tmp_path / "inbox" / "reviews" / "may.csv").write_text(f"id,review\n{rows}")
    (tmp_path / "inbox" / "quick" / "may.csv").write_text("id,review\n1,good\n2,bad\n")
    (tmp_path / "config.toml").write_text(CONFIG.format(url=service.url, model=MODEL))
    environment = {**os.environ, "ANTHROPIC_API_KEY": KEY, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "batchd", "--config", str(tmp_path / "config.toml"), "once"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Five rows of 10 and 5 tokens at 1 and 5 USD a million, at half price.
    assert "0.000088 USD" in done.stdout
    delivered = results(tmp_path, "reviews")
    assert [row["status"] for row in delivered] == ["ok", "ok", "ok", "skipped", "ok", "ok"]
    assert delivered[5]["answer"] == "re: review 5"
    assert [row["answer"] for row in results(tmp_path, "quick")] == ["re: Review: good", "re: Review: bad"]
    assert service.count("POST", "/v1/messages/batches") == 1
    assert service.executed == 5 + 2
    report = json.loads((tmp_path / "outbox" / "reviews" / "may.report.json").read_text())
    assert report["tokens"]["input"] == 5 * 10
    assert KEY not in done.stdout + done.stderr
