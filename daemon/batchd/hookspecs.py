"""The hooks of plugins: eight functions, each called with a function `register(name, factory)`.

pluggy calls the hooks once, at start-up. A hook must not be asynchronous or slow, nor import what only the object
needs. batchd calls the factory with the validated settings and gets the object; the factory's attribute `Settings`,
if it has one, is their class. A class derived from `batchd.contracts` is a factory.

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
"""What a hook is given: it takes a kind and a factory."""


@hookspec
def register_readers(register: Register) -> None:
    """Register file formats: `register(kind, factory of contracts.Reader)`."""


@hookspec
def register_prompt_builders(register: Register) -> None:
    """Register builders of requests: `register(kind, factory of contracts.PromptBuilder)`."""


@hookspec
def register_providers(register: Register) -> None:
    """Register services: `register(kind, factory of contracts.BatchProvider or LiveProvider, or of both)`."""


@hookspec
def register_sinks(register: Register) -> None:
    """Register places for results: `register(kind, factory of contracts.Sink)`."""


@hookspec
def register_observers(register: Register) -> None:
    """Register listeners to events: `register(kind, factory of contracts.Observer)`."""


@hookspec
def register_executors(register: Register) -> None:
    """Register places where workers run: `register(kind, factory of batchd.Executor)`; `[workers]` names one."""


@hookspec
def register_services(register: Register) -> None:
    """Add services to choose by `service = "NAME"`: `register(name, table)`; `table()` returns its table.

    `batchd.service_tables` makes these from TOML files. docs/services.md lists the keys of a table.
    """


@hookspec
def register_commands(register: Register) -> None:
    """Add commands to `batchd`: `register(name, factory)`; `factory()` returns a click.Command.

    A factory with one argument gets a `batchd.Installation`: the configuration, the jobs, and a folder of its own.
    """
