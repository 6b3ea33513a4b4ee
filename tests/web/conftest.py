"""Households that are made once: the pages only look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..cli.cli_kit import House, finished_house, half_way, held


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, str]:
    return finished_house(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def finished(_finished: tuple[House, str]) -> House:
    """One job that is done, with a failed row among five."""
    return _finished[0]


@pytest.fixture
def finished_job(_finished: tuple[House, str]) -> str:
    return _finished[1]


@pytest.fixture(scope="session")
def under_way(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, list[str]]:
    """Two jobs whose batches are answered by a third."""
    return half_way(tmp_path_factory.mktemp("under way"), "reviews/may.csv", "reviews/june.csv")


@pytest.fixture(scope="session")
def with_held_batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, str, str]:
    """A job with a batch that a person must say something about: the house, the job, the batch."""
    return held(tmp_path_factory.mktemp("held"))


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty one."""
    house = House(tmp_path / "house")

    async def nothing(living: object) -> None:
        del living

    house.live(nothing)
    return house
