"""Which job a word means."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchd.domain.lifecycle import Poll
from batchd.status.finding import NotFound, batch_called, job_called
from batchd.store.reading.snapshot import snapshot

from .cli_kit import House, Thirds, after, finished_house, held


@pytest.fixture
def house(tmp_path: Path) -> House:
    return finished_house(tmp_path / "house")[0]


def test_by_id_by_its_beginning_by_path_and_by_name(house: House) -> None:
    with snapshot(house.state) as state:
        [job] = [job.id for job in state.finished(-1)]
        for word in (job, job[:7], "reviews/may.csv", "may.csv"):
            assert job_called(state, word).id == job


@pytest.mark.parametrize("word", ["", "y.csv", "reviews", "%", "_"])
def test_nothing_of_that_name(house: House, word: str) -> None:
    with snapshot(house.state) as state, pytest.raises(NotFound):
        job_called(state, word)


def test_a_word_for_several_jobs_lists_them(house: House) -> None:
    again = house.run("reviews/may.csv", ["other", "words"])
    with snapshot(house.state) as state:
        with pytest.raises(NotFound) as refusal:
            job_called(state, "may.csv")
        first, *lines = str(refusal.value).splitlines()
        assert first == '"may.csv" may mean any of 2 jobs; say which by its id:'
        assert lines[1].startswith(f"{again}  reviews/may.csv, taken 20")
        with pytest.raises(NotFound, match="any of 2 jobs"):
            job_called(state, "0000")


def test_of_several_the_one_under_way_is_meant(house: House) -> None:
    house.provider = Thirds(house.service)
    under_way = house.run("reviews/may.csv", ["other", "words"], until=after(Poll))
    with snapshot(house.state) as state:
        assert len(state.jobs_called("may.csv")) == 2
        assert job_called(state, "may.csv").id == under_way


@pytest.mark.slow
def test_many_jobs_are_not_all_listed(house: House) -> None:
    for number in range(12):
        house.run("reviews/may.csv", [f"{number}"])
    with snapshot(house.state) as state, pytest.raises(NotFound) as refusal:
        job_called(state, "may.csv")
    assert "(and 3 older ones)" in str(refusal.value)


def test_batches_by_key_beginning_and_the_providers_id(tmp_path: Path) -> None:
    house, _, key = held(tmp_path / "house")
    with snapshot(house.state) as state:
        for word in (key, key[:6]):
            assert batch_called(state, word).key == key
        with pytest.raises(NotFound, match="batchd status JOB"):
            batch_called(state, "nope")
    other, _ = finished_house(tmp_path / "other")
    with snapshot(other.state) as state:
        assert batch_called(state, "batch-1").remote == "batch-1"
