"""Fixtures: a sandbox with immediate answers, and sandbox processes to kill."""

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
    """A function that creates sandboxes in their own processes, by default on one folder."""
    sandboxes = []

    def make(*options: str, folder: Path | None = None, **environment: str) -> SandboxProcess:
        sandboxes.append(SandboxProcess(folder or tmp_path / "sandbox", options, environment))
        return sandboxes[-1]

    yield make
    for process in sandboxes:
        process.end()
