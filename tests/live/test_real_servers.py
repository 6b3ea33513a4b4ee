"""Servers of others, from the package index, asked by a whole daemon with `mode = "auto"`."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchd.live.lanes import LiveTerms
from batchd_openai.pacing import OpenAIPacing
from batchd_openai.provider import OpenAIProvider

from ..engine.conftest import MakeHousehold, csv_of, route

pytestmark = [pytest.mark.outside, pytest.mark.field("services")]

SERVERS = Path(__file__).parents[2] / ".servers" / "bin"
ROWS = 12


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def server(folder: Path, *command: object) -> Iterator[str]:
    """Run it in the folder, with the port as its last argument, until it answers; its base_url."""
    port = _free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*map(str, command), str(port)], cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(600):
            assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(params=["llama.cpp", "fakellm"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if not (SERVERS / "fakellm").exists():
        pytest.skip("needs the servers that `make servers` installs")
    if request.param == "llama.cpp":
        with server(tmp_path, SERVERS / "python", Path(__file__).with_name("tiny_llama.py"), tmp_path) as found:
            yield found
    else:
        (tmp_path / "fakellm.yaml").write_text("version: 1\ndefaults:\n  fallback: deterministic_echo\nrules: []\n")
        with server(tmp_path, SERVERS / "fakellm", "serve", "--port") as found:
            yield found


async def test_it_has_no_batches_and_answers_each_row(make_household: MakeHousehold, url: str) -> None:
    settings = {"base_url": url, "api_key": "any-key-will-do-4711", "request_timeout": 30}
    provider = OpenAIProvider(OpenAIProvider.Settings.model_validate(settings), pacing=OpenAIPacing(first_pause=0.002))
    # llama.cpp keeps to the grammar, so that numbers of chance make a whole answer; others do not know the field.
    asks = route(part_rows=5, params={"max_tokens": 16, "grammar": 'root ::= "good"'})
    household = make_household(provider=provider, live=LiveTerms(), routes=(asks,), find_lane=True)
    household.drop("reviews/may.csv", csv_of([f"review {number}" for number in range(ROWS)]))
    async with asyncio.timeout(60), household.living() as daemon:
        await daemon.take_in()
        while "reviews/may.report.json" not in household.outbox():
            await daemon.step()
            await asyncio.sleep(0.001)
    await provider.aclose()
    rows = list(csv.DictReader(io.StringIO(household.outbox()["reviews/may.results.csv"].decode())))
    assert [row["status"] for row in rows] == ["ok"] * ROWS
    report = household.report("reviews/may.report.json")
    assert {batch["lane"] for batch in report["batches"]} == {"live"}
    assert report["tokens"]["input"] >= ROWS
    assert report["tokens"]["output"] >= ROWS
