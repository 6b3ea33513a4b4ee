"""Fixtures: a sandbox that answers at once, and processes to kill."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sandbox_kit import Running, SandboxProcess, running


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Running]:
    """A fresh instant sandbox."""
    async with running(tmp_path / "sandbox") as one:
        yield one


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Callable[..., SandboxProcess]]:
    """Makes sandboxes in processes of their own; all work in one folder unless told otherwise."""
    made = []

    def make(*options: str, folder: Path | None = None, **environment: str) -> SandboxProcess:
        made.append(SandboxProcess(folder or tmp_path / "sandbox", options, environment))
        return made[-1]

    yield make
    for process in made:
        process.end()
