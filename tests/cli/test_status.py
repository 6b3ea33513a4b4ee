"""`batchd status`: the truth about every job, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchd.domain.subjects import Subject
from batchd.store.spool import Spool
from batchd.testing.household import Living

from .cli_kit import House, drain, finished_house, half_way, held, here, stuck


def test_nothing_yet(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    said = here("status", config=house.config)
    assert (said.status, said.out.splitlines()) == (
        0,
        ["No daemon is running. To start it: batchd run", "No file has been received yet."],
    )
    assert here("status", "--json", config=house.config).json() == {
        "daemon": {"running": False, "process": None},
        "state": str(house.state),
        "conditions": [],
        "totals": {
            "in_work": 0,
            "waiting": 0,
            "held": 0,
            "stopped": 0,
            "done_today": 0,
            "rows_today": 0,
            "spent_today": 0.0,
            "left_today": None,
            "currency": "EUR",
        },
        "jobs": [],
        "older_finished_jobs": 0,
        "learnt_limits": [],
    }


def test_a_finished_job(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    [line] = [line for line in here("status", config=house.config).out.splitlines() if job in line]
    # 40 tokens in and 20 out, at 1000 and 3000 EUR per million, half price.
    assert f"job {job} reviews/may.csv (reviews): done, 5 rows, 4 ok, 1 failed, 0.05 EUR, received " in line


def test_the_keys_of_the_json_are_a_promise(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert record == {
        "id": job,
        "source": "reviews/may.csv",
        "state": "done",
        "finished": True,
        "in_words": "done",
        "waits_for": None,
        "route": "reviews",
        "provider": "fake",
        "model": "small",
        "moved_from": None,
        "rows": {"total": 5, "ok": 4, "failed": 1, "skipped": 0, "answered": 5},
        "tokens": {"input": 40, "cached_input": 0, "output": 20, "wasted_input": 0, "wasted_output": 0},
        "cost": {"so_far": 0.05, "estimated": None, "currency": "EUR"},
        "reason_code": None,
        "reason": None,
        "sha256": record["sha256"],
        "redelivered_from": None,
        "timestamps": record["timestamps"],
    }
    assert set(record["timestamps"]) == {
        "claimed",
        "accepted",
        "planned",
        "collected",
        "finished",
        "late",
        "rests_until",
        "purged",
        "expected",
    }
    assert {record["timestamps"].pop(name) for name in ("purged", "late", "expected", "rests_until")} == {None}
    assert all(moment.endswith("Z") for moment in record["timestamps"].values())


def test_how_far_a_job_is_counts_what_the_provider_says(tmp_path: Path) -> None:
    house, _ = half_way(tmp_path / "house", "reviews/june.csv")
    with Spool(house.state).locked():
        [record] = here("status", "--json", config=house.config).json()["jobs"]
        line = here("status", config=house.config).out.splitlines()[2]
    assert record["rows"] == {"total": 9, "ok": 0, "failed": 0, "skipped": 0, "answered": 3}
    assert record["in_words"] == "waiting for answers"
    assert record["waits_for"].startswith("fake: 3 of 9 answered (1 batch)")
    assert "waiting for answers, 3 of 9 rows answered" in line
    assert "; waits for fake: 3 of 9 answered (1 batch)" in line


def test_whether_a_daemon_runs(tmp_path: Path) -> None:
    house, _ = half_way(tmp_path / "house", "reviews/june.csv")
    first = here("status", config=house.config).out.splitlines()[0]
    assert first == "No daemon is running. Jobs go on when it is started: batchd run"
    with Spool(house.state).locked():
        daemon = here("status", "--json", config=house.config).json()["daemon"]
        assert daemon["running"] is True
        assert isinstance(daemon["process"], int)
        first = here("status", config=house.config).out.splitlines()[0]
        assert first == f"The daemon is running (process {daemon['process']})."
    # Looking has not taken the lock away from the next daemon.
    with Spool(house.state).locked():
        pass


def test_conditions_come_first_and_say_since_when(tmp_path: Path) -> None:
    house, _ = half_way(tmp_path / "house", "reviews/june.csv")

    async def complain(living: Living) -> None:
        await living.context.store.event_log.raise_condition(
            Subject.provider("fake"), "The key is\x1b[31m refused.\nJobs wait."
        )

    house.live(complain)
    with Spool(house.state).locked():
        lines = here("status", config=house.config).out.splitlines()
        record = here("status", "--json", config=house.config).json()
    assert lines[1].startswith("Jobs: 1 under way, 0 waiting. Today: ")
    assert lines[2].startswith("provider fake, since 20")
    assert lines[2].endswith(r": The key is\x1b[31m refused. Jobs wait.")
    assert record["conditions"][0]["subject"] == "provider fake"
    assert record["jobs"][0]["waits_for"] == "provider fake"


def test_a_job_that_stands_still_says_what_to_do(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    job = stuck(house)
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert (record["state"], record["in_words"], record["finished"]) == ("failed", "stopped", False)
    assert f"`batchd retry {job}`" in record["waits_for"]


def test_what_needs_a_person_stands_before_what_does_not(tmp_path: Path) -> None:
    house, [first, second] = half_way(tmp_path / "house", "reviews/june.csv", "reviews/july.csv")

    async def fail(living: Living) -> None:
        await living.context.store.jobs.failed(await living.context.store.jobs.get(second), "odd", "it broke.")

    house.live(fail)
    jobs = here("status", "--json", config=house.config).json()["jobs"]
    assert [job["id"] for job in jobs] == [second, first]


def test_a_held_batch_says_what_to_look_for(tmp_path: Path) -> None:
    house, job, batch = held(tmp_path / "house")
    said = here("status", config=house.config).out
    assert "held, 0 of 1 row answered, received" in said.replace("  ", " ")
    assert f"batchd resolve {batch} --found ID, or --absent" in said
    assert job in said


def test_a_rejected_file_says_why(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    house.drop("nowhere.csv", "a\n1\n")

    async def reject(living: Living) -> None:
        await living.take_in()
        await drain(living)

    house.live(reject)
    [line] = here("status", config=house.config).out.splitlines()[2:]
    assert "nowhere.csv (no route): rejected" in line
    assert "Put the file into the folder reviews." in line
    details = here("status", "nowhere.csv", config=house.config).out
    assert str(house.folders.rejected / "nowhere.csv") in details


@pytest.mark.slow
def test_only_the_last_finished_jobs_unless_all(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    jobs = [house.run(f"reviews/{number}.csv", [f"review {number}"]) for number in range(7)]
    said = here("status", config=house.config)
    assert [job for job in jobs if job in said.out] == jobs[2:]
    assert said.out.splitlines()[-1] == "2 older jobs are finished: batchd status --all"
    assert here("status", "--json", config=house.config).json()["older_finished_jobs"] == 2
    everything = here("status", "--all", config=house.config)
    assert [job for job in jobs if job in everything.out] == jobs
    assert "older" not in everything.out


def test_a_job_whose_rows_are_not_kept_any_longer(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")

    async def sweep(living: Living) -> None:
        await living.context.store.jobs.swept([job])

    house.live(sweep)
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert record["rows"] == {"total": 5, "ok": 4, "failed": 1, "skipped": 0, "answered": 5}
    assert record["tokens"]["input"] is None
    assert record["cost"]["so_far"] == 0.05


def test_tokens_where_no_price_was_known(tmp_path: Path) -> None:
    house = House(tmp_path / "house", prices={})
    job = house.run("reviews/may.csv", ["good", "fine"])
    [line] = [line for line in here("status", config=house.config).out.splitlines() if job in line]
    assert "2 ok, 30 tokens, received" in line


def test_a_broken_configuration_keeps_nobody_from_looking(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    house.config.write_text(house.config.read_text().replace("input = 1000", "input = 'much'") + "\n[nonsense]\n")
    assert "0.05 EUR" in here("status", config=house.config).out


def test_one_job_in_every_detail(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    said = here("status", job[:7], config=house.config).out
    outbox = house.folders.outbox
    for path in ("may.results.csv", "may.failed.csv", "may.report.json"):
        assert (outbox / "reviews" / path).exists()
        assert str(outbox / "reviews" / path) in said
    assert str(house.folders.archive / "reviews/may.csv") in said
    assert "5: 4 ok, 1 failed" in said
    assert "provider id batch-1" in said
    assert f"batchd events {job}" in said
    record = here("status", "may.csv", "--json", config=house.config).json()
    assert set(record) == {"daemon", "state", "conditions", "job"}
    assert record["job"]["parts"] == {"collected": 2}
    [batch] = record["job"]["batches"]
    assert (batch["id"], batch["state"], batch["phase"], batch["requests"]) == ("batch-1", "done", "completed", 5)
    assert [Path(path).name for path in record["job"]["outputs"]] == [
        "may.results.csv",
        "may.failed.csv",
        "may.report.json",
    ]


def test_details_of_a_job_under_way(tmp_path: Path) -> None:
    house, [job] = half_way(tmp_path / "house", "reviews/june.csv")
    said = here("status", "june.csv", config=house.config).out
    assert "9: 0 ok, 9 open (3 of them answered, not downloaded yet)" in said
    assert "No daemon is running" in said
    record = here("status", job, "--json", config=house.config).json()["job"]
    assert record["outputs"] == []
    assert record["original"] is None


def test_a_job_that_was_cancelled_counts_what_was_skipped(tmp_path: Path) -> None:
    house, [job] = half_way(tmp_path / "house", "reviews/june.csv")
    assert here("cancel", job, config=house.config).status == 0

    async def obey(living: Living) -> None:
        await living.engine.look()

    house.live(obey)
    [record] = here("status", "--json", config=house.config).json()["jobs"]
    assert record["in_words"] == "cancelling"


def test_unknown_job(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    said = here("status", "nope", config=house.config)
    assert said.status == 2
    assert said.err == (
        'batchd: There is no job "nope", and no file of that name. What there is: batchd status --all\n'
    )


def test_watching_a_job_ends_when_it_is_finished(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    said = here("status", job, "--watch", "--json", config=house.config)
    assert said.status == 0
    [line] = said.out.splitlines()
    assert json.loads(line)["job"]["finished"] is True


def test_which_jobs_are_shown(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")  # has a failed row
    house.clock.advance(86_400)
    house.run("reviews/well.csv", ["fine"])
    stuck(house)

    def files(*options: str) -> list[str]:
        return [
            job["source"].rpartition("/")[2]
            for job in here("status", "--json", *options, config=house.config).json()["jobs"]
        ]

    assert files() == ["stuck.csv", "may.csv", "well.csv"]
    assert files("--failed") == ["stuck.csv", "may.csv"]
    assert files("--held") == ["stuck.csv"]
    assert files("--route", "reviews") == files()
    assert files("--route", "other") == []
    lines = here("status", "--limit", "0", config=house.config).out
    assert "Jobs: 0 under way, 0 waiting, 1 stopped. Today: " in lines
    assert here("status", "--since", "yesterday", config=house.config).status == 2


def test_the_details_of_a_finished_job_say_why_rows_failed_and_what_to_do(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    said = here("status", job, config=house.config).out
    assert "failed     1 × unaskable" in said or "failed     1 × " in said
    assert said.splitlines()[-1].split() == ["next", "batchd", "retry", job]
