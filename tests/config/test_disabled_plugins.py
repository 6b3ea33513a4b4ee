"""`[plugins] disabled` in a configuration."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from batchd.config.load import load
from batchd.config.locations import plugin_choice
from batchd.errors import ConfigError
from batchd.plugin.catalogue import Catalogue

Write = Callable[[str], Path]


@pytest.fixture
def loaded(write: Write, plugin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Load a text as the daemon does: what it disables is not in the catalogue that it is checked against."""
    monkeypatch.setattr(metadata, "entry_points", lambda **_: ())

    def loaded(text: str) -> object:
        path = write(text)
        _, disabled = plugin_choice(path)
        return load(path, Catalogue.load(plugin_dir, disabled))

    return loaded


def refused(loaded: Callable[[str], object], text: str) -> list[str]:
    """What is wrong, without the path."""
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    return [line.partition(":")[2] for line in str(caught.value).splitlines()]


def test_what_nobody_needs_can_be_disabled(
    write: Write, good: str, plugin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda **_: ())
    path = write('[plugins]\ndisabled = ["jsonl", "bell"]\n' + good)
    folder, disabled = plugin_choice(path)
    assert (folder, disabled) == (None, {"jsonl", "bell"})
    config = load(path, Catalogue.load(plugin_dir, disabled))
    assert (config.plugins.disabled, config.warnings) == (["jsonl", "bell"], ())


def test_what_a_table_needs_is_named(loaded: Callable[[str], object], good: str) -> None:
    top = '[plugins]\ndisabled = ["bell", "csv"]\n'
    assert refused(loaded, top + good + '[observers.night]\nplugin = "bell"\nurl = "x"\n') == [
        '9: [routes.reviews] sinks: the sink "csv" is disabled; take it out of [plugins] disabled.',
        '17: [observers.night] plugin: the observer "bell" is disabled; take it out of [plugins] disabled.',
    ]


def test_a_name_that_disables_nothing_is_worth_a_warning(write: Write, catalogue: Catalogue, good: str) -> None:
    path = write('[plugins]\ndisabled = ["csv", "webhok"]\n' + good)
    [warning] = load(path, catalogue).warnings
    assert warning.removeprefix(f"{path}:") == (
        '2: [plugins] disabled: item 2: no plugin, distribution or kind is called "webhok"; did you mean "webhook"?'
    )


@pytest.mark.parametrize("value", ['"csv"', "[1]", "true"])
def test_anything_but_a_list_of_names_is_refused(write: Write, value: str) -> None:
    path = write(f"[plugins]\ndisabled = {value}\n")
    with pytest.raises(ConfigError) as caught:
        plugin_choice(path)
    assert str(caught.value) == f"{path}:2: [plugins] disabled: write a list of names, in quotes."
