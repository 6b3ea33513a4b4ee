"""Figures for Prometheus."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from batchd.status.figures import Figures
from batchd.status.places import Places

from ..cli.cli_kit import House
from .web_kit import served

if TYPE_CHECKING:
    import pytest


def values(text: str) -> dict[str, float]:
    """Every sample, by its name and the values of its labels in order."""
    return {
        " ".join([sample.name, *sorted(sample.labels.values())]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_is_counted(finished: House) -> None:
    async with served(finished) as web:
        answer = await web.program().get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    found = values(text)
    for name, value in {
        "batchd_jobs done": 1,
        "batchd_rows_total ok reviews": 4,
        "batchd_rows_total failed reviews": 1,
        "batchd_row_failures_total fake refused": 1,
        "batchd_answers_total batch fake reviews small": 4,
        "batchd_events_total JobFinished": 1,
        "batchd_events_total JobClaimed": 1,
    }.items():
        assert found.get(name) == value, (name, text)
    assert found["batchd_spent_total EUR batch fake reviews small"] > 0
    # No names of files, nor ids.
    assert "may" not in text


async def test_work_under_way(under_way: tuple[House, list[str]]) -> None:
    house, _ = under_way
    async with served(house) as web:
        found = values(await web.program().text("/metrics"))
    assert found["batchd_jobs running"] == 2
    assert found["batchd_open_rows batched reviews"] == 18
    assert found["batchd_batch_requests batch fake submitted"] == 18
    assert found["batchd_batch_answers batch fake submitted"] == 6
    assert found["batchd_oldest_job_age_seconds running"] > 3_600


def test_each_look_counts_on_from_the_last(finished: House) -> None:
    places, figures = Places.of(finished.config), Figures()
    first, second = ({each.name: each.samples for each in figures.look(places)} for _ in range(2))
    for name in ("rows", "events", "row_failures", "answers"):
        assert first[name] == second[name], name


async def test_without_the_package_it_says_so(finished: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    async with served(finished) as web:
        answer = await web.program().get("/metrics")
        assert answer.status == 501
        assert "pip install 'batchd[metrics]'" in await answer.text()
