"""What stands in for what a plugin offers that is kept off: it has any settings, and only says why it does nothing.

So a configuration that names it can be used for all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pydantic import ConfigDict

from ..contracts import BatchProvider, Observer, PromptBuilder, Reader, Settings, Sink
from ..errors import PluginError
from .hooks import Role


class PluginOff(PluginError):
    """What is needed is of a plugin that is kept off."""


class AnySettings(Settings):
    """Whatever the table has."""

    model_config = ConfigDict(extra="allow")


class _Absent:
    why = ""

    def refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise PluginOff(self.why)


class _AbsentReader(_Absent, Reader[AnySettings]):
    def read(self, source: Any) -> NoReturn:
        self.refuse(source)


class _AbsentPrompt(_Absent, PromptBuilder[AnySettings]):
    def build(self, row: Any) -> NoReturn:
        self.refuse(row)


class _AbsentProvider(_Absent, BatchProvider[AnySettings]):
    async def submit(self, submission: Any) -> NoReturn:
        self.refuse(submission)

    async def poll(self, batch: Any) -> NoReturn:
        self.refuse(batch)

    def results(self, batch: Any) -> NoReturn:
        self.refuse(batch)


class _AbsentSink(_Absent, Sink[AnySettings]):
    async def publish(self, job: Any, rows: Any) -> NoReturn:
        self.refuse(job, rows)


class _AbsentObserver(_Absent, Observer[AnySettings]):
    async def notice(self, event: Any) -> NoReturn:
        self.refuse(event)


BY_ROLE: Mapping[Role, type[_Absent]] = {
    Role.READER: _AbsentReader,
    Role.PROMPT_BUILDER: _AbsentPrompt,
    Role.PROVIDER: _AbsentProvider,
    Role.SINK: _AbsentSink,
    Role.OBSERVER: _AbsentObserver,
}
"""The roles that batchd can go on without, each with what stands in."""


def absent(role: Role, why: str) -> Callable[..., Any]:
    """A class that stands in for one of this role."""
    return type("Absent", (BY_ROLE[role],), {"why": why, "Settings": AnySettings})
