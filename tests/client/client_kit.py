"""A daemon with its page, in a thread of this process, for clients to use."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchd.app.daemon import Daemon, daemon
from batchd.app.folders import make_folders
from batchd.app.load import load
from batchd.app.page import page_of
from batchd.testing.fakes import InlineExecutor
from batchd.web.tokens import WebRole, make_token

PLUGINS = '''
from batchd import Failure, hookimpl
from batchd.testing.fakes import FakeProvider, FakeService


def answer(body):
    text = body["messages"][-1]["content"]
    return Failure("refused", "The model declined.") if text.endswith("bad") else f"re: {text}"


class Quick(FakeProvider):
    """Answers at once; a review that ends with `bad` fails."""

    def __init__(self, settings):
        super().__init__(FakeService(answer))


class Never(Quick):
    """Never comes to an end."""

    def __init__(self, settings):
        super().__init__(settings)
        self.service.polls = 10**9


@hookimpl
def register_providers(register):
    register("quick", Quick)
    register("never", Never)
'''
CONFIG = """
plugin_dir = "plugins.d"

[intake]
settle = "1ms"
rescan = "20ms"

[web]
listen = "127.0.0.1:{port}"
"""
PROVIDER = """
[providers.{name}]
plugin = "{name}"
linger = "0s"
poll = "1ms"

[providers.{name}.prices.small]
input = 1000
output = 1000
"""
ROUTE = """
[routes.{name}]
provider = "{provider}"
model = "small"
attempts = 1
params = {{ max_tokens = 10 }}
{more}

[routes.{name}.prompt]
plugin = "template"
user = "{{{{ review }}}}"
"""


def write_config(folder: Path, port: int) -> Path:
    """A configuration with routes that are answered, held, and never answered."""
    (folder / "plugins.d").mkdir(parents=True)
    (folder / "plugins.d" / "ours.py").write_text(PLUGINS)
    text = CONFIG.format(port=port) + PROVIDER.format(name="quick") + PROVIDER.format(name="never")
    text += ROUTE.format(name="reviews", provider="quick", more="")
    text += ROUTE.format(name="dear", provider="quick", more="budget = { per_job = 0.000001 }")
    text += ROUTE.format(name="never", provider="never", more="")
    (folder / "config.toml").write_text(text)
    return folder / "config.toml"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """A daemon that runs."""

    folder: Path
    address: str
    token: str
    read_token: str


@contextmanager
def running(folder: Path, port: int | None = None) -> Iterator[Running]:
    """One on a new configuration in this folder; or on that of before, at its port, with the tokens of before."""
    again = port is not None
    path = folder / "config.toml" if port is not None else write_config(folder, port := free_port())
    before = Path.cwd()
    config, catalogue = load(path)
    os.chdir(before)
    make_folders(config)
    ready, ours, ended = threading.Event(), [], []

    async def live() -> None:
        async with daemon(config, catalogue, workers=1, watch=False) as living:
            living.context.executor = living.context.local = InlineExecutor()
            ours.append(living)
            async with page_of(living):
                ready.set()
                await living.supervisor.run()

    def go() -> None:
        loops.append(asyncio.new_event_loop())
        try:
            loops[0].run_until_complete(live())
        except BaseException as error:
            ended.append(error)
            raise
        finally:
            ready.set()
            loops[0].close()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=go)
    thread.start()
    assert ready.wait(60)
    assert not ended
    tokens = {role: "" if again else make_token(config.folders.state, role) for role in WebRole}
    living: Daemon = ours[0]
    try:
        yield Running(folder, f"http://127.0.0.1:{port}", tokens[WebRole.ORDER], tokens[WebRole.READ])
    finally:
        loops[0].call_soon_threadsafe(living.supervisor.stop)
        thread.join(60)
