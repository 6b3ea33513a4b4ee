"""The plugin in the daemon itself: the executor for this machine."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl


@hookimpl
def register_executors(register: Register) -> None:
    """Worker processes of this machine."""
    from .local import Workers

    register("local", Workers)
