"""A client with a daemon of its own on a folder: a real process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from batchd.app.folders import make_folders
from batchd.app.load import load
from batchd.client import AsyncClient, Client, ConfigError, NotReachable, StateLocked
from batchd.status.daemon import running as running_daemon

from .client_kit import free_port, write_config

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and its folders."""
    path = write_config(tmp_path / "shop", free_port())
    monkeypatch.chdir(tmp_path)
    make_folders(load(path)[0])
    return path.parent


@pytest.mark.slow(seconds=10)
async def test_a_daemon_of_its_own_has_the_lock_and_ends_with_the_client(shop: Path) -> None:
    with Client(folder=shop) as client:
        job = client.submit([{"review": "good"}, {"review": "bad"}], route="reviews")
        assert job.wait(120).rows["ok"] == 1
        # As over the API: see test_client.py.
        good, bad = job.results().to_list()
        assert good == {"review": "good", "answer": "re: good", "status": "ok", "error": None}
        assert bad == {"review": "bad", "answer": None, "status": "failed", "error": "The model declined."}
        # A second one would pay twice; it says how to use the first.
        with pytest.raises(StateLocked, match=r'Another batchd .*Client\("http://127.0.0.1:\d+", token='):
            Client(folder=shop / "config.toml")
        # Counted by a worker process.
        assert client.estimate([{"review": "good"}], route="reviews").rows == 1
    assert running_daemon(shop / "state") is None
    assert list((shop / "outbox").rglob("rows.report.json"))
    async with AsyncClient(folder=shop) as other:
        process = running_daemon(shop / "state")
        assert process is not None
        assert process.process is not None
        os.kill(process.process, signal.SIGKILL)
        with pytest.raises(NotReachable, match="has ended"):
            while True:
                await other.routes()


def test_a_configuration_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no configuration"):
        Client(folder=tmp_path)
    (tmp_path / "config.toml").write_text("[routes.x]\nmodle = 1\n")
    with pytest.raises(ConfigError, match="modle"):
        Client(folder=tmp_path)
