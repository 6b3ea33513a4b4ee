"""The provider `openai`: any service that offers OpenAI's Files and Batches API."""

from __future__ import annotations

from importlib.resources import files

from batchd import Register, hookimpl, service_tables


@hookimpl
def register_providers(register: Register) -> None:
    """Offer the provider `openai`."""
    # This imports the settings, not the SDK: importing the SDK takes 0.3 s, so it waits for the first call.
    from .provider import OpenAIProvider

    register("openai", OpenAIProvider)


@hookimpl
def register_services(register: Register) -> None:
    """Offer the services in the folder `services`."""
    for name, table in service_tables(files(__name__) / "services"):
        register(name, table)
