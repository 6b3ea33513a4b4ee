"""What the daemon itself offers as a plugin: the executor on this machine."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl


@hookimpl
def register_executors(register: Register) -> None:
    """Worker processes of this machine."""
    from .local import Workers

    register("local", Workers)
