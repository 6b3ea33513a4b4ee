"""Plugins that are kept off: each has blocked the event loop, and with it all of batchd, until the process was ended.

They are listed in a file of the state folder, which even a process that is about to end can write. A plugin stays off
until the configuration or a plugin changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..store.layout import BLOCKED_PLUGINS
from .blame import Home, PluginPlace, place_of_dump
from .neighbours import modules_of
from .sources import entry_points

DEAF = 10.0
"""Seconds beyond the limit after which faulthandler ends a process in which code in C lets no other thread run."""
_DUMPS = "blocked-*.txt"
_FATAL = re.compile(r"Fatal Python error: (.+)")


@dataclass(frozen=True, slots=True)
class KeptOff:
    """A plugin that has blocked batchd: where it stood, for how many seconds, when, and under which configuration."""

    plugin: str
    file: str
    line: int
    method: str
    seconds: float
    at: float
    configuration: str
    loading: str = ""
    """What happened while it was loaded, in words; empty for one that could be loaded and blocked batchd later."""

    @property
    def sentence(self) -> str:
        if self.loading:
            return (
                f'The plugin "{self.plugin}" is kept off: {self.loading}. What needs it waits; all else goes on. For '
                "the operator: fix or remove it; batchd tries it again once the plugin or the configuration has "
                "changed, after a reload or a start."
            )
        place = PluginPlace(self.plugin, self.file, self.line, self.method)
        at = datetime.fromtimestamp(self.at, UTC)
        return (
            f'The plugin "{self.plugin}" is kept off: {place} blocked all of batchd for {self.seconds:.0f} s at '
            f"{at:%Y-%m-%d %H:%M:%S} UTC, without awaiting, so the process was ended. What needs it waits; all else "
            "goes on. For the operator: have it await, or use asyncio.to_thread; batchd tries it again once the plugin "
            "or the configuration has changed, after a reload or a start."
        )


def not_loaded(kept: Iterable[KeptOff]) -> dict[str, str]:
    """The plugins that are not even imported, each with its sentence."""
    return {each.plugin: each.sentence for each in kept if each.loading}


def state_of(config: Path | None, plugin_dir: Path | None) -> str:
    """A fingerprint of the configuration and of the plugins, with the modules that they share."""
    digest = hashlib.sha256()
    files = {} if config is None else {config.name: config}
    if plugin_dir is not None:
        files |= {os.fspath(file.relative_to(plugin_dir)): file for file in modules_of(plugin_dir)}
    for name, file in files.items():
        with contextlib.suppress(OSError):
            digest.update(os.fsencode(name) + b"\0" + file.read_bytes() + b"\0")
    for point, distribution in entry_points():
        digest.update(f"{point.name} {distribution}".encode())
    return digest.hexdigest()[:32]


def stored(state: Path) -> Sequence[KeptOff]:
    try:
        return [KeptOff(**record) for record in json.loads((state / BLOCKED_PLUGINS).read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def kept_off(state: Path, configuration: str) -> Sequence[KeptOff]:
    """The plugins that are kept off under this configuration."""
    return [each for each in stored(state) if each.configuration == configuration]


def keep_off(state: Path, kept: Iterable[KeptOff]) -> None:
    draft = state / f"{BLOCKED_PLUGINS}.new"
    with draft.open("w") as file:
        json.dump([asdict(each) for each in kept], file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(state / BLOCKED_PLUGINS)


def dump_of(state: Path, process: int) -> Path:
    """Where faulthandler writes before it ends this process."""
    return state / _DUMPS.replace("*", str(process))


def note_dumps(state: Path, *, seconds: float, configuration: str, homes: Sequence[Home] | None = None) -> None:
    """Store the plugins that the dumps of ended processes blame, and delete those dumps."""
    left: list[KeptOff] = []
    within = seconds + DEAF
    for dump in state.glob(_DUMPS):
        try:
            if _is_alive(dump.stem.rpartition("-")[2]):
                continue
            text, at = dump.read_text(errors="replace"), dump.stat().st_mtime
            dump.unlink()
        except OSError:
            continue
        place = place_of_dump(text, homes)
        if place is not None and not place.built_in:
            died = died_of(text)
            loading = f"{place} ended the process: {died}" if died else ""
            if not loading and (place.method == "<module>" or place.method.startswith("register_")):
                loading = f"{place} did not return within {within:g} s"
            left.append(KeptOff(place.plugin, place.file, place.line, place.method, within, at, configuration, loading))
    if left:
        with contextlib.suppress(OSError):
            keep_off(state, [*stored(state), *left])


def died_of(dump: str) -> str:
    """`Segmentation fault`, if that is what faulthandler has written; empty if not."""
    found = _FATAL.search(dump)
    return found[1].strip() if found is not None else ""


def _is_alive(process: str) -> bool:
    return process.isdigit() and int(process) != os.getpid() and Path(f"/proc/{process}").exists()
