"""What the log says when a daemon starts."""

from __future__ import annotations

from pathlib import Path

from batchd.app.starting import starting
from batchd.config.load import load
from batchd.plugin.catalogue import Catalogue

CONFIG = """
plugin_dir = "plugins.d"

[budget]
per_day = 5.0

[providers.acme]
plugin = "openai"
base_url = "http://127.0.0.1:1/v1"
api_key = "env:ACME_KEY"
mode = "live"
prices.small = { input = 1.0, output = 2.0 }

[routes.reviews]
provider = "acme"
model = "small"
prompt = { plugin = "template", user = "{{ review }}" }
"""

PLUGIN = """
from batchd import Sink, hookimpl

class Nowhere(Sink):
    async def publish(self, job, rows, outbox):
        pass

@hookimpl
def register_sinks(register):
    register("nowhere", Nowhere)
"""


def test_it_names_version_routes_budget_and_plugins_of_others(tmp_path: Path) -> None:
    (tmp_path / "plugins.d").mkdir(mode=0o700)
    (tmp_path / "plugins.d" / "nowhere.py").write_text(PLUGIN)
    file = tmp_path / "config.toml"
    file.write_text(CONFIG)
    catalogue = Catalogue.load(tmp_path / "plugins.d")
    lines = list(starting(load(file, catalogue), catalogue))
    assert lines[0].startswith("batchd 0.")
    assert lines[1:3] == [
        "Route reviews takes reviews/** and asks small of acme by live calls.",
        "Budget: at most 5.00 USD a day.",
    ]
    assert "nowhere" in lines[3]
