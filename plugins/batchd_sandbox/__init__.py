"""A local OpenAI-compatible server for Files, Batches and Chat, with rule-based answers and faults on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchd import Register, hookimpl

if TYPE_CHECKING:
    import click


def _sandbox() -> click.Command:
    # Imported only for this command: the server stack would slow down the start of every other one.
    from .command import sandbox

    return sandbox


def _demo() -> click.Command:
    from .demo import demo

    return demo


@hookimpl
def register_commands(register: Register) -> None:
    """Add `batchd sandbox` and `batchd demo`."""
    register("demo", _demo)
    register("sandbox", _sandbox)
