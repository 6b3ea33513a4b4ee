"""What these tests share: a nursery, and rigs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from .rig import Nursery, Rig, shared_nursery

MakeRig = Callable[..., Rig]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what the daemons said last: it may not fail again where somebody looks."""
    report = yield
    if report.failed and report.when == "call":
        for rig in list(Rig.living):
            if rig.log.exists():
                report.sections.append((str(rig.log), rig.tail(6_000)))
    return report


@pytest.fixture(scope="session")
def nursery() -> Nursery:
    """Where daemons are born."""
    return shared_nursery()


@pytest.fixture
def make_rig(tmp_path: Path, nursery: Nursery) -> Iterator[MakeRig]:
    """Make a rig: folders where they are wanted, a server with these options, and terms of the config."""
    rigs: list[Rig] = []

    def make(*options: str, folders: dict[str, Path] | None = None, **terms: object) -> Rig:
        folder = tmp_path / f"rig{len(rigs)}"
        folder.mkdir()
        rig = Rig(folder, nursery, **(folders or {}))
        rigs.append(rig)
        rig.terms.update(terms)
        rig.serve("--latency", "50ms", *options)
        return rig

    yield make
    for rig in rigs:
        rig.close()
