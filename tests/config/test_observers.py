"""`[observers.NAME]`: which plugin hears which events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchd.config.load import load
from batchd.events.groups import GROUPS, every_kind
from batchd.plugin.catalogue import Catalogue

from .conftest import refused

Write = Callable[[str], Path]


def test_an_observer_has_a_plugin_settings_and_a_filter(write: Write, catalogue: Catalogue, good: str) -> None:
    text = '[observers.night]\nplugin = "bell"\nevents = ["failed", "JobHeld"]\nurl = "x"\n[observers.finished]\n'
    observers = load(write(good + text), catalogue).observers
    night = observers["night"]
    assert (night.plugin, night.settings, night.kinds()) == (
        "bell",
        {"url": "x"},
        {"JobFailed", "JobRejected", "JobHeld"},
    )
    assert (observers["finished"].plugin, observers["finished"].kinds()) == ("finished", every_kind())


def test_without_a_table_there_is_no_observer(write: Write, catalogue: Catalogue, good: str) -> None:
    assert load(write(good), catalogue).observers == {}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            'events = ["done", "JobFinishd"]',
            (
                '15: [observers.finished] events: item 2: there is no event or group of events "JobFinishd"; '
                'did you mean "JobFinished"?'
            ),
        ),
        (
            'events = ["faild"]',
            (
                '15: [observers.finished] events: item 1: there is no event or group of events "faild"; '
                'did you mean "failed"?'
            ),
        ),
        ("events = []", "15: [observers.finished] events: is empty."),
        ('events = "done"', "15: [observers.finished] events: should be a list."),
        (
            'event = ["done"]',
            '15: [observers.finished] event: there is no such key here; did you mean "events"?',
        ),
        ('plugin = "bel"', '15: [observers.finished] plugin: there is no observer "bel"; did you mean "bell"?'),
        ('plugin = "bell"', "14: [observers.finished] url: is missing."),
        (
            'plugin = "bell"\nurl = "x"\nxyzzy = 1',
            "17: [observers.finished] xyzzy: there is no such key here; the keys are: events, plugin, routes, token, url.",
        ),
    ],
)
def test_what_is_wrong_is_named(write: Write, catalogue: Catalogue, good: str, table: str, message: str) -> None:
    assert refused(write(good + "[observers.finished]\n" + table + "\n"), catalogue) == [message]


def test_an_event_that_resembles_nothing_is_answered_with_all_there_are(
    write: Write, catalogue: Catalogue, good: str
) -> None:
    [said] = refused(write(good + '[observers.finished]\nevents = ["xyzzy"]\n'), catalogue)
    assert all(f" {name}" in said for name in (*GROUPS, *every_kind()))


def test_a_secret_in_the_configuration_is_worth_a_warning(write: Write, catalogue: Catalogue, good: str) -> None:
    text = '[observers.bell]\nurl = "x"\ntoken = "{}"\n'
    assert load(write(good + text.format("env:BELL")), catalogue).warnings == ()
    [warning] = load(write(good + text.format("sk-0123456789")), catalogue).warnings
    assert "[observers.bell] token: is the secret itself" in warning
    assert "sk-0123456789" not in warning
