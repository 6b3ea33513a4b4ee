"""Compares a configuration with what is known of a service: limits, window, mode, endpoints, but not models."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ...config.load import Config
from ...config.provider_table import ProviderTable
from ...config.service_table import ServiceTable, all_services
from ...domain.words import nearest
from ...errors import PluginError
from ...plugin.catalogue import Catalogue
from ...settings import seconds
from .result import CheckResult, note, ok
from .routes import asked_of

MAX_SERVICE_BYTES = 200_000_000
_LIMITS = ("max_requests", "max_bytes", "max_line_bytes", "max_enqueued_tokens")


def service_results(config: Config, provider: str, catalogue: Catalogue) -> Iterator[CheckResult]:
    """Compare a provider and its routes with what is known of its service, or else of services in general."""
    table = config.providers[provider]
    service = table.known_service
    notes = list(_limits(table, catalogue))
    if service is None:
        notes += _unnamed(table, catalogue)
    else:
        notes += [*_window(table, service), *_mode(table, service)]
    found = [note(f"provider {provider}", text) for text in notes]
    if service is not None:
        found += [
            note(subject, text)
            for route, subject in asked_of(config, provider)
            if (text := _endpoint(route.endpoint, table, service))
        ]
        if not found:
            text = f"It keeps to what is known of {service.title}, {_read(service)}."
            found.append(ok(f"provider {provider}", text))
    yield from found


def _unnamed(table: ProviderTable, catalogue: Catalogue) -> Iterator[str]:
    """If `service` is not set, find a known service by its address, and say if it takes less than batchd would send."""
    host = urlsplit(str(table.settings.get("base_url", ""))).hostname
    offered = catalogue.limits_of(table.plugin)
    if host is None or table.mode == "live" or offered is None:
        return
    packing = table.packing(offered)
    try:
        services = all_services(catalogue)
    except PluginError:
        return  # `batchd services` reports it
    for name, service in services.items():
        same = urlsplit(str(service.provider.get("base_url", ""))).hostname == host
        known = service.limits.max_requests
        if same and known is not None and known < packing.max_requests:
            yield (
                f"base_url is that of {service.title}, which takes {known:,} requests in a batch, {_read(service)}, "
                f'and batchd would send {packing.max_requests:,}. Write service = "{name}", or max_requests = {known}.'
            )


def _limits(table: ProviderTable, catalogue: Catalogue) -> Iterator[str]:
    offered = catalogue.limits_of(table.plugin)
    service = table.known_service
    for name in _LIMITS:
        wanted = getattr(table, name)
        known = getattr(service.limits, name) if service is not None else None
        if wanted is None:
            continue
        if known is not None and service is not None:
            if wanted > known:
                yield (
                    f"{name} = {wanted:,} is above what {service.title} takes ({known:,}, {_read(service)}). It will "
                    f"refuse each batch that is larger. Leave {name} out, or write at most {known:,}."
                )
            continue
        most = getattr(offered, name) if offered is not None else None
        # Services take 200 MB. To be safe, the plugin sends half of that.
        most = MAX_SERVICE_BYTES if name == "max_bytes" and most is not None else most
        if most is not None and wanted > most:
            yield (
                f"{name} = {wanted:,} is above what services take, as far as the plugin {table.plugin} knows "
                f"({most:,}). If yours takes less, it will refuse each batch that is larger."
            )


def _window(table: ProviderTable, service: ServiceTable) -> Iterator[str]:
    wanted = table.settings.get("completion_window")
    if not service.window or not isinstance(wanted, str) or table.mode == "live":
        return
    shortest, longest = service.window[0], service.window[-1]
    try:
        within = seconds(shortest) <= seconds(wanted) <= seconds(longest)
    except ValueError:
        within = False
    if not within:
        known = shortest if shortest == longest else f"{shortest} to {longest}"
        yield (
            f'completion_window = "{wanted}" is not what {service.title} knows ({known}, {_read(service)}). It may '
            "refuse each batch."
        )


def _mode(table: ProviderTable, service: ServiceTable) -> Iterator[str]:
    as_known = table.plugin == service.plugin and table.settings.get("base_url") == service.provider.get("base_url")
    if table.mode == "batch" and service.mode == "live" and as_known:
        yield (
            f'mode = "batch", but the plugin {table.plugin} can send {service.title} no batches, {_read(service)}. '
            'With mode = "live" it is asked by live calls.'
        )


def _endpoint(endpoint: str, table: ProviderTable, service: ServiceTable) -> str | None:
    in_batches = table.mode == "batch" and service.batch_endpoints is not None
    known = (service.batch_endpoints or []) if in_batches else service.endpoints
    if not known or endpoint in known:
        return None
    meant = nearest(endpoint, known)
    hint = f" Did you mean {meant}?" if meant else f" It knows {', '.join(known)}."
    where = "in batches of" if in_batches else "at"
    sentence = f"The endpoint {endpoint} is not known {where} {service.title}, {_read(service)}"
    return f"{sentence}; it may refuse each row.{hint}"


def _read(service: ServiceTable) -> str:
    return f"as read on {max(each.at for each in service.read)}"
