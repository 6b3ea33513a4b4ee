"""Plugins in temporary folders, and entry points of distributions that are not installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from batchd.plugin.catalogue import Catalogue, Offer


@dataclass(frozen=True)
class Distribution:
    name: str
    version: str


@dataclass(frozen=True)
class EntryPoint:
    """As importlib.metadata gives it."""

    name: str
    value: str
    dist: Distribution | None
    loaded: Any

    def load(self) -> Any:
        if isinstance(self.loaded, BaseException):
            raise self.loaded
        return self.loaded


class Installed:
    """What is installed, as far as the catalogue can see."""

    def __init__(self) -> None:
        self.points: list[EntryPoint] = []

    def add(self, name: str, loaded: Any, *, distribution: str = "", value: str = "") -> None:
        """Install a plugin."""
        self.points.append(
            EntryPoint(name, value or f"batchd_{name}", Distribution(distribution or f"batchd-{name}", "1.2"), loaded)
        )


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Installed:
    """Nothing is installed but what the test adds; mark a test `real_plugins` for what is."""
    installed = Installed()
    if "real_plugins" not in request.fixturenames:
        monkeypatch.setattr(metadata, "entry_points", lambda *, group: installed.points if group == "batchd" else [])
    return installed


@pytest.fixture
def real_plugins() -> None:
    """The test sees the entry points of this installation."""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Write single-file plugins, by name; returns their folder."""

    def write(**sources: str) -> Path:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(dedent(source))
        return tmp_path

    return write


def of_others(catalogue: Catalogue) -> list[Offer]:
    """What is offered but by batchd itself."""
    return [offer for offer in catalogue.offers if offer.plugin != "batchd"]
