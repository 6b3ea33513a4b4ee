"""`batchd mcp`: estimate, submit, status and results for programs that speak the Model Context Protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from batchd import hookimpl

if TYPE_CHECKING:
    import click


def _mcp() -> click.Command:
    from .command import mcp

    return mcp


@hookimpl
def register_commands(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add `batchd mcp`."""
    register("mcp", _mcp)
