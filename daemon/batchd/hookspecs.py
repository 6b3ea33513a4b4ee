"""The whole surface of extension: six hooks, each handed a `register` to call with a name and a factory.

Hooks register, objects act. pluggy calls these once at start-up; nothing here may be asynchronous, slow, or
import what only the object needs. The factory is called with the validated settings (its attribute
`Settings`, if it has one, says which) and returns the object. A class from `batchd.contracts` is a factory.

    from batchd import hookimpl

    @hookimpl
    def register_sinks(register):
        register("warehouse", WarehouseSink)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pluggy

hookspec = pluggy.HookspecMarker("batchd")
hookimpl = pluggy.HookimplMarker("batchd")

Register: TypeAlias = Callable[[str, Callable[..., Any]], None]


@hookspec
def register_readers(register: Register) -> None:
    """Offer file formats: `register(kind, factory of contracts.Reader)`."""


@hookspec
def register_prompt_builders(register: Register) -> None:
    """Offer ways to ask and to read the answer: `register(kind, factory of contracts.PromptBuilder)`."""


@hookspec
def register_providers(register: Register) -> None:
    """Offer services: `register(kind, factory of contracts.BatchProvider or LiveProvider, or of both)`."""


@hookspec
def register_sinks(register: Register) -> None:
    """Offer places for results: `register(kind, factory of contracts.Sink)`."""


@hookspec
def register_observers(register: Register) -> None:
    """Ask to hear events: `register(kind, factory of contracts.Observer)`."""


@hookspec
def register_commands(register: Register) -> None:
    """Add commands to `batchd`: `register(name, factory)`, the factory taking nothing and returning a click.Command."""
