"""The provider `inline`: services with the requests in the create call, or the answers in the poll or in pages."""

from __future__ import annotations

from importlib.resources import files

from batchd import Register, hookimpl, service_tables


@hookimpl
def register_providers(register: Register) -> None:
    """Offer the provider `inline`."""
    from .provider import InlineProvider

    register("inline", InlineProvider)


@hookimpl
def register_services(register: Register) -> None:
    """Offer the services in the folder `services`."""
    for name, table in service_tables(files(__name__) / "services"):
        register(name, table)
