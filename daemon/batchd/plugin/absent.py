"""What stands in for what a plugin offers that is kept off: it has any settings, and only says why it does nothing.

So a configuration that names it can be used for all else.
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
    """What is needed is kept off: its plugin is, or this process does not have its key."""


class AnySettings(Settings):
    """Whatever the table has."""

    model_config = ConfigDict(extra="allow")


CONTRACTS: Mapping[Role, tuple[type[Any], ...]] = {
    Role.READER: (Reader,),
    Role.PROMPT_BUILDER: (PromptBuilder,),
    Role.PROVIDER: (BatchProvider, LiveProvider),
    Role.SINK: (Sink,),
    Role.OBSERVER: (Observer,),
    Role.EXECUTOR: (Executor,),
}
"""What an object of the role may be; a stand-in is of the first."""
CAN_BE_ABSENT = CONTRACTS.keys() - {Role.EXECUTOR}
"""The roles that batchd can go on without."""


def absent(role: Role, why: str) -> Callable[..., Any]:
    """A class that stands in for one of this role."""

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
