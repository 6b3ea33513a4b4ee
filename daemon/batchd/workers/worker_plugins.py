"""The plugins of this worker process: created once, and used for all its parts."""

from __future__ import annotations

import gc
import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from ..archives import LIMIT_KEYS
from ..contracts import PromptBuilder, Reader
from ..domain.formats import ARCHIVE, PACKED
from ..domain.routing import PluginSpec
from ..errors import FileRefused, PluginError
from ..file_sink import FileSink
from ..plugin.catalogue import Catalogue
from .limits import LOAD_TIMEOUT, limited, note_plugin

_PACKED_OTHERWISE = frozenset({".7z", ".bz2", ".lz4", ".rar", ".tar", ".tbz", ".tgz", ".txz", ".xz", ".z"})
_UNPACK = "Unpack it and drop what is inside."
_SAVE = "Save the table as CSV (in Excel: Save As, “CSV UTF-8”) and drop that file."


@lru_cache(maxsize=1)
def _loaded(plugin_dir: str | None, disabled: frozenset[str]) -> Catalogue:
    return Catalogue.load(Path(plugin_dir) if plugin_dir else None, disabled, begun=note_plugin)


def _catalogue(spec: PluginSpec) -> Catalogue:
    return _loaded(spec.plugin_dir, spec.disabled)


_instances: dict[tuple[str, str | None, frozenset[str], str, bytes], Any] = {}


def prepare() -> None:
    """Prepare this worker process for many rows. Called once in each process of an executor."""
    # Rows make many objects and no cycles: a collection after every 700 objects takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def load_plugins(spec: PluginSpec) -> None:
    """Load the plugins before the first task."""
    with limited(LOAD_TIMEOUT):
        _catalogue(spec)


def builder(spec: PluginSpec) -> PromptBuilder[Any]:
    """The PromptBuilder of the spec."""
    instance: PromptBuilder[Any] = _make("prompt_builder", spec)
    return instance


def file_sink(spec: PluginSpec) -> FileSink[Any]:
    """The sink of the spec, which must be a FileSink."""
    instance: FileSink[Any] = _make("sink", spec)
    return instance


def reads(spec: PluginSpec, suffix: str) -> bool:
    """Whether there is a reader for files with this suffix. A named reader reads all but what must be unpacked."""
    kind = _catalogue(spec).reader_for(suffix)
    return kind == spec.kind or suffix not in {*PACKED, ARCHIVE} if spec.kind else kind is not None


def only_if_named(spec: PluginSpec, suffix: str) -> bool:
    """Whether files with this suffix are taken only where a route names their format."""
    catalogue = _catalogue(spec)
    offer = catalogue.find("reader", catalogue.reader_for(suffix) or "")
    return not spec.kind and offer is not None and offer.only_if_named


def reader(spec: PluginSpec, suffix: str) -> Reader[Any]:
    """A new Reader of the spec; if the spec has no kind, the one for the suffix."""
    catalogue = _catalogue(spec)
    kind = spec.kind or catalogue.reader_for(suffix)
    if kind is None:
        _load_again()
        known = ", ".join(sorted(catalogue.suffixes()))
        what = f"ends in {suffix}" if suffix else "has no ending"
        advice = _UNPACK if suffix in _PACKED_OTHERWISE else _SAVE
        raise FileRefused(
            "suffix",
            f"Its name {what}, and batchd does not know how to read that. It reads {known}. {advice}",
        )
    try:
        # A reader stores facts about one file, so each file gets a new one.
        instance: Reader[Any] = catalogue.create("reader", kind, _own(catalogue, spec, kind))
    except PluginError as error:
        _load_again()
        if catalogue.find("reader", kind) is None or isinstance(error.__cause__, OSError):
            raise  # the file is not at fault: the configuration was accepted with this reader
        raise FileRefused(
            "reader_settings",
            f"The reader settings of its route do not fit this kind of file. {error} Drop it into the folder "
            "of another route. For the operator: correct the reader table of the route.",
        ) from None
    return instance


def _own(catalogue: Catalogue, spec: PluginSpec, kind: str) -> dict[str, Any]:
    """The settings for this reader. A route may take several formats, and its table has keys for each of them."""
    fields = catalogue.settings_type("reader", kind).model_fields
    known = {field.alias or name for name, field in fields.items()}
    return {
        key: value
        for key, value in spec.settings.items()
        if key in known or (spec.kind and key not in LIMIT_KEYS) or not _is_known(catalogue, key)
    }


def _is_known(catalogue: Catalogue, key: str) -> bool:
    """Whether some reader knows the key."""
    return key in LIMIT_KEYS or any(
        key in catalogue.settings_type("reader", kind).model_fields for kind in catalogue.kinds("reader")
    )


def _make(role: str, spec: PluginSpec) -> Any:
    key = (role, spec.plugin_dir, spec.disabled, spec.kind, msgspec.json.encode(spec.settings))
    if key not in _instances:
        if len(_instances) > 100:
            _instances.clear()
        try:
            _instances[key] = _catalogue(spec).create(role, spec.kind, spec.settings)
        except PluginError:
            _load_again()
            raise
    return _instances[key]


def _load_again() -> None:
    """Load the plugins again next time, since one is missing.

    The cause may be temporary, such as a disk error or an upgrade of batchd, and this process may live long.
    """
    _loaded.cache_clear()
    importlib.invalidate_caches()
