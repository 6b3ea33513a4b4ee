"""What the page knows of the daemon that it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from ..config.web import WebTable
from ..contracts import ResultRows
from ..errors import BatchdError
from ..people.language import Language
from ..status.places import Places


class Setting(Struct, frozen=True, kw_only=True):
    """What the page needs of the configuration, at one moment. `routes` has the patterns of each route, by its name."""

    places: Places
    web: WebTable
    language: Language
    routes: Mapping[str, Sequence[str]]
    providers: Sequence[str]
    inbox: Path


class NoResults(BatchdError):
    """A job has no results to give out: it is not finished, or its results are no longer kept."""


class Backend(Protocol):
    """A daemon, as the page sees it."""

    def setting(self) -> Setting:
        """What the configuration says now. May read the file."""

    def ready(self) -> bool:
        """Whether the daemon works: its loops turn, and it is not about to end."""

    def inbox_place(self, name: str, route: str) -> Path:
        """Where in the inbox this route takes a file of this name. Raise a BatchdError if nowhere."""

    async def estimate(self, file: Path, route: str) -> dict[str, Any]:
        """What a file would cost by this route, as `batchd estimate --json` says. Raise a BatchdError if that fails."""

    async def results(self, job: str, since: int) -> ResultRows:
        """The rows of a finished job from row `since` on, with their outcomes. Raise NoResults if there are none."""

    @property
    def dropped(self) -> Callable[[], None]:
        """Call this when there is a new file in the inbox."""
