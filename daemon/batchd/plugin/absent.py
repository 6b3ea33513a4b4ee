"""What stands in for what a plugin offers that is kept off: it has any settings, and only says why it does nothing.

So a configuration that names it can be used for all else.
"""

from __future__ import annotations

import inspect
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


BY_ROLE: Mapping[Role, type[Any]] = {
    Role.READER: Reader,
    Role.PROMPT_BUILDER: PromptBuilder,
    Role.PROVIDER: BatchProvider,
    Role.SINK: Sink,
    Role.OBSERVER: Observer,
}
"""The roles that batchd can go on without, each with the contract that a stand-in has."""


def absent(role: Role, why: str) -> Callable[..., Any]:
    """A class that stands in for one of this role."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PluginOff(why)

    async def refuse_later(*_: Any, **__: Any) -> NoReturn:
        raise PluginOff(why)

    contract = BY_ROLE[role]
    methods = {
        name: refuse_later if inspect.iscoroutinefunction(getattr(contract, name)) else refuse
        for name in contract.__abstractmethods__
    }
    return type("Absent", (contract,), {**methods, "Settings": AnySettings})
