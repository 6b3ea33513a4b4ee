"""Observers that tell people and programs: `notify` by mail and chat, `webhook` by HTTP, `command` by a script."""

from __future__ import annotations

from batchd import Register, hookimpl


@hookimpl
def register_observers(register: Register) -> None:
    """Offer the observers `notify`, `webhook` and `command`."""
    from .command import Command
    from .notify import Notify
    from .webhook import Webhook

    register("notify", Notify)
    register("webhook", Webhook)
    register("command", Command)
