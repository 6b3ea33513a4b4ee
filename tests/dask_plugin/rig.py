"""A daemon whose workers are nodes of a cluster, on folders of which only the spool is shared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ..durability.rig import Rig, shared_nursery
from .cluster import Cluster

PLUGIN = '''
import os
import time
from pathlib import Path

from batchd import PromptBuilder, Settings, hookimpl


class SlowSettings(Settings):
    pause: float
    log: str


class Slow(PromptBuilder):
    """Takes its time, and notes where it does so."""

    Settings = SlowSettings

    def build(self, row):
        time.sleep(self.settings.pause)
        line = f"{row.number} {Path(os.environ['HOME']).name} {os.getpid()}\\n"
        descriptor = os.open(self.settings.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)
        return {"messages": [{"role": "user", "content": row["review"]}], "max_tokens": 50}


@hookimpl
def register_prompt_builders(register):
    register("slow", Slow)
'''

CONFIG = """
plugin_dir = {plugins}

[folders]
{folders}

[intake]
settle = "50ms"
rescan = "100ms"

[workers]
{workers}

[providers.sandbox]
plugin = "openai"
mode = "batch"
base_url = "{url}"
api_key = "env:SANDBOX_KEY"
poll = "100ms"
linger = "300ms"

[routes.reviews]
provider = "sandbox"
model = "sandbox-small"
part_rows = {part_rows}
attempts = 20

[routes.reviews.prompt]
{prompt}
"""
SLOW = """
plugin = "slow"
pause = {pause}
log = {log}
"""
TEMPLATE = """
plugin = "template"
user = "Review: {{ review }}"
"""


class ClusterRig(Rig):
    """As Rig; `pause` is how long each row takes, None for a plain template."""

    def __init__(
        self, folder: Path, cluster: Cluster | None, *, part_rows: int = 4, pause: float | None = 0.05
    ) -> None:
        super().__init__(folder, shared_nursery())
        self.cluster = cluster
        self.folders["spool"] = folder / "shared"
        self.built = folder / "built"
        folder.mkdir(exist_ok=True)
        self.built.touch()
        self.plugins = folder / "plugins.d"
        self.part_rows, self.pause = part_rows, pause

    def configure(self, provider: str = "") -> None:
        """Write the config and make the folders."""
        self.plugins.mkdir(exist_ok=True)
        (self.plugins / "slow.py").write_text(PLUGIN)
        workers = "number = 2"
        if self.cluster is not None:
            workers = f'executor = "dask"\naddress = "{self.cluster.address}"'
        (self.folder / "config.toml").write_text(
            CONFIG.format(
                plugins=json.dumps(str(self.plugins)),
                folders="\n".join(f"{name} = {json.dumps(str(path))}" for name, path in self.folders.items()),
                workers=workers,
                url=self.url,
                part_rows=self.part_rows,
                prompt=TEMPLATE
                if self.pause is None
                else SLOW.format(pause=self.pause, log=json.dumps(str(self.built))),
            )
        )
        for path in self.folders.values():
            path.mkdir(parents=True, exist_ok=True)
        (self.folders["inbox"] / "reviews").mkdir(exist_ok=True)

    def rows_built(self) -> Counter[int]:
        """How often the question about each row was written."""
        return Counter(int(line.split()[0]) for line in self.built.read_text().splitlines())

    def nodes_seen(self) -> Counter[str]:
        """How many rows each node has worked on."""
        return Counter(line.split()[1] for line in self.built.read_text().splitlines())

    def results(self) -> Mapping[str, bytes]:  # type: ignore[override]  # of all files, as they are
        """What people get, but the reports, which tell of times."""
        outbox = self.folders["outbox"]
        return {
            str(path.relative_to(outbox)): path.read_bytes()
            for path in sorted(outbox.rglob("*"))
            if path.is_file() and ".report." not in path.name
        }
