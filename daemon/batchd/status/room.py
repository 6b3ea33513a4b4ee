"""Conditions that the daemon could not store itself: its disk is full, or a plugin has blocked it."""

from __future__ import annotations

from pathlib import Path

from ..domain.subjects import DISK, Subject, SubjectKind
from ..store.layout import BLOCKED_PLUGINS
from ..store.reading.records import Condition
from ..system.disk import is_full


def no_room(state: Path) -> list[Condition]:
    """The condition that the disk of the state folder is full, if it is. A full disk cannot store it."""
    if not is_full(state):
        return []
    text = f"No room is left on the disk of {state}, so batchd cannot write there. Make room; then batchd goes on."
    return [Condition(DISK, text, None)]


def blocked(state: Path, config: Path, plugin_dir: Path | None) -> list[Condition]:
    """The conditions of plugins that are kept off, because each has blocked batchd."""
    if not (state / BLOCKED_PLUGINS).exists():
        return []
    from ..plugin.kept_off import kept_off, state_of

    found = kept_off(state, state_of(config, plugin_dir))
    return [Condition(Subject(SubjectKind.PLUGIN, each.plugin), each.sentence, each.at) for each in found]
