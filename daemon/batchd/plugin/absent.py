"""Stand-ins for what a kept-off plugin offers: they take any settings, and only say why they do nothing.

So a configuration that names such a plugin can be used for all else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pydantic import ConfigDict

from ..contracts import BatchProvider, LiveProvider, Observer, PromptBuilder, Reader, Settings, Sink
from ..errors import PluginError
from ..executor import Executor
from .hooks import Role


class PluginOff(PluginError):
    """A plugin that is needed is kept off, or this process does not have its key."""


class AnySettings(Settings):
    """Takes whatever the table has."""

    model_config = ConfigDict(extra="allow")


CONTRACTS: Mapping[Role, tuple[type[Any], ...]] = {
    Role.READER: (Reader,),
    Role.PROMPT_BUILDER: (PromptBuilder,),
    Role.PROVIDER: (BatchProvider, LiveProvider),
    Role.SINK: (Sink,),
    Role.OBSERVER: (Observer,),
    Role.EXECUTOR: (Executor,),
}
"""The classes that an object of the role may be of; a stand-in is of the first."""
CAN_BE_ABSENT = CONTRACTS.keys() - {Role.EXECUTOR}
"""The roles that batchd can go on without."""


def absent(role: Role, why: str) -> Callable[..., Any]:
    """Return a class that stands in for one of this role. Its methods raise PluginOff."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PluginOff(why)

    async def refuse_later(*_: Any, **__: Any) -> NoReturn:
        raise PluginOff(why)

    contract = CONTRACTS[role][0]
    methods = {
        name: refuse_later if inspect.iscoroutinefunction(getattr(contract, name)) else refuse
        for name in contract.__abstractmethods__
    }
    return type("Absent", (contract,), {**methods, "Settings": AnySettings})
