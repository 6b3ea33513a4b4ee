"""Observers that tell people and programs: `notify` by mail and chat, `webhook` by HTTP, `command` by a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchd import hookimpl


@hookimpl
def register_observers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Offer the observers `notify`, `webhook` and `command`."""
    from .command import Command
    from .notify import Notify
    from .webhook import Webhook

    register("notify", Notify)
    register("webhook", Webhook)
    register("command", Command)
