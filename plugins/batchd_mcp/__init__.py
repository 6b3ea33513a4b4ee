"""`batchd mcp`: estimate, submit, status and results for programs that speak the Model Context Protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchd import Register, hookimpl

if TYPE_CHECKING:
    import click


def _mcp() -> click.Command:
    from .command import mcp

    return mcp


@hookimpl
def register_commands(register: Register) -> None:
    """Add `batchd mcp`."""
    register("mcp", _mcp)
