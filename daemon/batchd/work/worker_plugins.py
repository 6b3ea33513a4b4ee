"""The plugins of this worker process: made once, kept for all the parts it works on."""

from __future__ import annotations

import gc
import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from ..contracts import PromptBuilder, Reader
from ..domain.routing import PluginSpec
from ..errors import FileRefused, PluginError
from ..file_sink import FileSink
from ..plugin.catalogue import Catalogue


@lru_cache(maxsize=1)
def _catalogue(plugin_dir: str | None) -> Catalogue:
    return Catalogue.load(Path(plugin_dir) if plugin_dir else None)


_made: dict[tuple[str, str | None, str, bytes], Any] = {}


def prepare() -> None:
    """Make this worker process ready for many rows. Each executor has it called once in each of its processes."""
    # Rows make many objects and no cycles: looking for cycles after every 700 of them is a tenth of the work.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def load_plugins(plugin_dir: str | None) -> None:
    """Load the plugins, ahead of the first task."""
    _catalogue(plugin_dir)


def builder(spec: PluginSpec) -> PromptBuilder[Any]:
    """The PromptBuilder of the spec."""
    made: PromptBuilder[Any] = _make("prompt_builder", spec)
    return made


def file_sink(spec: PluginSpec) -> FileSink[Any]:
    """The sink of this kind, which must be one that writes files."""
    made: FileSink[Any] = _make("sink", spec)
    return made


def reader(spec: PluginSpec, suffix: str) -> Reader[Any]:
    """The Reader of this kind; without a kind, the one that takes the suffix."""
    catalogue = _catalogue(spec.plugin_dir)
    kind = spec.kind or catalogue.reader_for(suffix)
    if kind is None:
        _load_again()
        known = ", ".join(sorted(catalogue.suffixes()))
        what = f"ends in {suffix}" if suffix else "has no ending"
        raise FileRefused(
            "suffix",
            f"Its name {what}, and batchd does not know how to read that. It reads {known}. "
            "Save the table as CSV (in Excel: Save As, “CSV UTF-8”) and drop that file.",
        )
    try:
        # A reader notes what it finds out about one file, so each file gets a new one.
        made: Reader[Any] = catalogue.create("reader", kind, spec.settings)
    except PluginError as error:
        _load_again()
        if catalogue.find("reader", kind) is None or isinstance(error.__cause__, OSError):
            raise  # no fault of the file's: the configuration was accepted with this reader
        raise FileRefused(
            "reader_settings",
            f"The reader settings of its route do not fit this kind of file. {error} Drop it into the folder "
            "of another route. For the operator: correct the reader table of the route.",
        ) from None
    return made


def _make(role: str, spec: PluginSpec) -> Any:
    key = (role, spec.plugin_dir, spec.kind, msgspec.json.encode(spec.settings))
    if key not in _made:
        if len(_made) > 100:
            _made.clear()
        try:
            _made[key] = _catalogue(spec.plugin_dir).create(role, spec.kind, spec.settings)
        except PluginError:
            _load_again()
            raise
    return _made[key]


def _load_again() -> None:
    """Something is missing: load the plugins again next time.

    A disk that failed for a moment, or an upgrade of batchd under way, may have hidden it. That must not stay so for as
    long as this process lives.
    """
    _catalogue.cache_clear()
    importlib.invalidate_caches()
