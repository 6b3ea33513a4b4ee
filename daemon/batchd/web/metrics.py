"""`/metrics`: figures in the form that Prometheus reads."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from aiohttp import web

from .. import __version__
from ..status.figures import Family, Figures
from .answers import Refused
from .guard import SETTING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import Metric

    from ..status.places import Places
    from .desk import Desk

FRESH = 5.0
"""Seconds for which figures are good enough: several scrapers cost no more than one."""
MISSING = "Figures need the package prometheus-client. Install it with: pip install 'batchd[metrics]'"


class Metrics:
    """The figures of this process, counted on from one request to the next."""

    def __init__(self) -> None:
        self._figures = Figures()
        self._lock = asyncio.Lock()
        self._known: tuple[float, bytes] | None = None

    async def show(self, desk: Desk, request: web.Request) -> web.StreamResponse:
        async with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > FRESH:
                text = await desk.read(lambda: self._text(request[SETTING].places))
                self._known = (time.monotonic(), text)
        response = web.Response(body=self._known[1])
        response.headers["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
        return response

    def _text(self, places: Places) -> bytes:
        try:
            from prometheus_client import CollectorRegistry, generate_latest
        except ImportError:
            raise Refused(501, MISSING) from None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self._figures.look(places)))
        return generate_latest(registry)


class _Collector:
    """Hands the families to a registry, which asks for them once."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield GaugeMetricFamily("batchd_build", f"batchd {__version__}", value=1)
        for each in self._families:
            kind = CounterMetricFamily if each.counts else GaugeMetricFamily
            family = kind(f"batchd_{each.name}", each.says, labels=each.labels)
            for labels, value in each.samples.items():
                family.add_metric(labels, value)
            yield family
