"""The provider `anthropic`: Anthropic's Message Batches and live calls."""

from __future__ import annotations

from importlib.resources import files

from batchd import Register, hookimpl, service_tables


@hookimpl
def register_providers(register: Register) -> None:
    """Offer the provider `anthropic`."""
    # This imports the settings, not the SDK: importing that takes more than a second, so it waits for the first call.
    from .provider import AnthropicProvider

    register("anthropic", AnthropicProvider)


@hookimpl
def register_services(register: Register) -> None:
    """Offer the service in the folder `services`."""
    for name, table in service_tables(files(__name__) / "services"):
        register(name, table)
