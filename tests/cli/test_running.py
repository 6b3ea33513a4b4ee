"""`batchd init`, `check`, `once`, `run`: real processes, a real daemon, a provider of a few lines."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchd.status.daemon import running
from batchd.store.reading.snapshot import snapshot

from ..durability.rig import Child, shared_nursery
from .cli_kit import environment, here, process

pytestmark = pytest.mark.slow

SERVICE = """
from pathlib import Path

from batchd import Failure, RejectedError, Secret, hookimpl
from batchd import Settings as BaseSettings
from batchd.testing.fakes import FakeProvider, FakeService


def answer(body):
    text = body["messages"][-1]["content"]
    return Failure("refused", "The model declined.") if text.endswith("bad") else f"re: {text}"


SERVICE = FakeService(answer)


class Fake(FakeProvider):
    class Settings(BaseSettings):
        polls: int = 1
        api_key: Secret = Secret("env:FAKE_KEY")
        says: str = ""

    def __init__(self, settings):
        super().__init__(SERVICE)
        self.mine = settings
        SERVICE.polls = settings.polls

    async def check(self, models):
        if self.mine.says == "raise":
            raise RejectedError("The key is refused.")
        if self.mine.says == "break":
            raise KeyError("oops")
        return [self.mine.says.format(models=models)] if self.mine.says else []


@hookimpl
def register_providers(register):
    register("fake", Fake)
"""

CONFIG = """\
plugin_dir = "plugins.d"

[intake]
settle = "100ms"
rescan = "200ms"

[providers.fake]
polls = {polls}
poll = "200ms"
linger = "50ms"

[providers.fake.prices.small]
input = 1000
output = 3000
batch_discount = 0.5

[routes.reviews]
provider = "fake"
model = "small"

[routes.reviews.prompt]
plugin = "template"
user = "Review: {{{{ review }}}}"
"""


def real_house(folder: Path, *, polls: int = 1) -> Path:
    """A folder with a config that works by itself."""
    (folder / "plugins.d").mkdir(parents=True)
    (folder / "plugins.d" / "service.py").write_text(SERVICE)
    (folder / "config.toml").write_text(CONFIG.format(polls=polls))
    for name in ("inbox/reviews", "outbox", "archive", "rejected"):
        (folder / name).mkdir(parents=True)
    return folder


def reviews(path: Path, *rows: str) -> Path:
    path.write_text("id,review\n" + "".join(f"{number},{row}\n" for number, row in enumerate(rows)))
    return path


def wait_for(what: Callable[[], bool], *, within: float = 60.0) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline, "It has not come to that."
        time.sleep(0.02)


# --- init ----------------------------------------------------------------------------------------------------------


def test_init_writes_the_packaged_config_and_the_folders(tmp_path: Path) -> None:
    said = here("init", "new", HOLYSHEEP_API_KEY="")
    assert said.status == 0, said.err
    folder = tmp_path / "new"
    packaged = (Path(__file__).parents[2] / "config.toml").read_text()
    assert (folder / "config.toml").read_text() == packaged
    for name in ("inbox/reviews", "outbox", "archive", "rejected", "state"):
        assert (folder / name).is_dir(), name
    assert said.out.splitlines()[0] == f"Wrote {folder}/config.toml."
    for step in (f"cd {folder}", "export HOLYSHEEP_API_KEY=…", "batchd check", "batchd run"):
        assert step in said.out


def test_init_never_overwrites(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    (house / "outbox").rmdir()
    before = (house / "config.toml").read_text()
    record = here("init", house, "--json").json()
    assert (house / "config.toml").read_text() == before
    assert record["written"] is False
    assert record["folders_made"] == [str(house / "outbox"), str(house / "held"), str(house / "state")]
    assert record["next"][0] == f"cd {house}"
    assert "exists already and was not changed." in here("init", house).out


def test_init_beside_a_config_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[folders]\ninbx = 'x'\n")
    said = here("init")
    assert said.status == 4
    assert 'did you mean "inbox"?' in said.err


def test_init_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = here("init", tmp_path / "file" / "below")
    assert said.status in {2, 5}
    assert "Traceback" not in said.err


# --- check ---------------------------------------------------------------------------------------------------------


def levels(house: Path, *more: str, **environment: str) -> dict[str, list[tuple[str, str]]]:
    """What check finds, by subject."""
    said = here("check", "--json", *more, config=house / "config.toml", **environment)
    record = json.loads(said.out)
    assert record["exit_status"] == said.status
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in record["results"]:
        found.setdefault(finding["subject"], []).append((finding["level"], finding["text"]))
    return found


def test_check_of_a_house_in_order(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    said = here("check", config=house / "config.toml", FAKE_KEY="secret-key-0815")
    assert said.status == 0, said.out
    assert said.out.splitlines()[-1] == "All is well."
    assert "✗" not in said.out
    assert "✓ provider fake: The key is in the environment variable FAKE_KEY." in said.out
    assert "✓ provider fake: It answers, and found nothing wrong with small." in said.out
    assert "secret-key-0815" not in said.out


def test_check_offline_calls_nobody(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    said = here("check", "--offline", config=house / "config.toml", FAKE_KEY="x")
    assert said.status == 0
    assert "It answers" not in said.out
    assert said.out.splitlines()[-1] == "All is well on this machine; no provider and no sink was called."


def test_check_of_a_config_that_is_wrong(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    path = house / "config.toml"
    path.write_text(path.read_text().replace("rescan", "rescn").replace('"small"', '""'))
    said = here("check", config=path)
    assert said.status == 4
    assert said.out.count("✗ config: ") == 2
    assert 'did you mean "rescan"?' in said.out
    assert said.out.splitlines()[-1] == "2 to fix. Then: batchd check"


@pytest.mark.parametrize(
    ("says", "text"),
    [
        ("There is no model {models[0]}.", "There is no model small."),
        ("raise", "The key is refused."),
        ("break", "The plugin fake failed: KeyError: 'oops'"),
    ],
)
def test_check_of_a_provider_that_is_not_well(tmp_path: Path, says: str, text: str) -> None:
    house = real_house(tmp_path / "house")
    path = house / "config.toml"
    path.write_text(path.read_text().replace("polls = 1", f'polls = 1\nsays = "{says}"'))
    assert ("wrong", text) in levels(house, FAKE_KEY="x")["provider fake"]
    assert here("check", config=path, FAKE_KEY="x").status == 5


def test_check_of_a_route_that_the_budget_will_stop(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    path = house / "config.toml"
    without_price = path.read_text().replace("prices.small", "prices.large")
    path.write_text(without_price)
    [(level, text)] = levels(house, "--offline", FAKE_KEY="x")["route reviews"]
    assert (level, text.startswith("What its jobs cost will not be known. ")) == ("note", True)
    path.write_text(without_price + "[budget]\nper_day = 5\n")
    found = levels(house, "--offline", FAKE_KEY="x")
    assert found["held"][0][0] == "wrong", "the folder for what is held is not there"
    [(level, text)] = found["route reviews"]
    assert level == "note"
    assert "will be held until somebody approves it" in text
    assert 'Add [providers.fake.prices."small"] with input and output (0 for a server of your own).' in text
    path.write_text(path.read_text().replace("prices.large", "prices.small"))
    assert "route reviews" not in levels(house, "--offline", FAKE_KEY="x")


def test_check_says_what_a_route_may_spend(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    path = house / "config.toml"
    (house / "held").mkdir()
    budgets = '[budget]\nper_day = 5\n[routes.reviews.budget]\nper_job = 1\nper_day = 20\nbeyond = "wait"\n'
    path.write_text(path.read_text() + budgets)
    assert levels(house, "--offline", FAKE_KEY="x")["route reviews"] == [
        ("ok", "Its budget is 1.00 USD a job, 20.00 USD a day. A job that could cost more waits for room."),
        ("note", "per_day = 20.00 in [routes.reviews.budget] is never reached: [budget] allows 5.00."),
    ]


def test_check_compares_the_params_of_a_route_with_what_is_known(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    path = house / "config.toml"
    (house / "held").mkdir()
    text = path.read_text().replace("prices.small", 'prices."gpt-5"').replace('model = "small"', 'model = "gpt-5"')
    path.write_text(text + "[routes.reviews.params]\ntemperature = 3\nmax_token = 9\n[budget]\nper_day = 5\n")
    found = levels(house, "--offline", FAKE_KEY="x")
    assert [text.split(" in [")[0] for level, text in found["route reviews"] if level == "note"] == [
        "gpt-5 is known to refuse temperature = 3, so every row would fail:",
        "temperature",
        "max_token",
    ]
    [(level, text)] = found["budget"]
    assert level == "note"
    assert "The route reviews sets no limit to its answers" in text
    path.write_text(path.read_text().replace("temperature = 3\nmax_token = 9", "max_completion_tokens = 9"))
    found = levels(house, "--offline", FAKE_KEY="x")
    assert not {"budget", "route reviews"} & found.keys()


NO_CHECK = """
from batchd import BatchProvider, Sink, hookimpl
from batchd.testing.fakes import FakeProvider, FakeService


class Blind(FakeProvider):
    check = BatchProvider.check

    def __init__(self, settings):
        super().__init__(FakeService())


class Hook(Sink):
    async def publish(self, job, rows): ...


@hookimpl
def register_providers(register):
    register("blind", Blind)


@hookimpl
def register_sinks(register):
    register("hook", Hook)
"""


@pytest.mark.field("check")
def test_check_says_what_it_did_not_look_at(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    (house / "plugins.d" / "blind.py").write_text(NO_CHECK)
    path = house / "config.toml"
    text = path.read_text().replace('provider = "fake"', 'provider = "blind"')
    path.write_text(f"{text}\n[providers.blind]\nmax_requests = 60_000\n[sinks.hook]\n")
    found = levels(house, FAKE_KEY="x")
    for subject in ("provider blind", "sink hook"):
        assert ("note", f"It was not checked: the plugin {subject[-5:].strip()} has no check of its own.") in found[
            subject
        ]
    assert any("max_requests = 60,000 is above" in text for level, text in found["provider blind"])
    assert not any("It answers" in text for _, text in found["provider blind"])
    said = here("check", config=path, FAKE_KEY="x")
    assert said.out.splitlines()[-1] == "All is well, as far as it was checked."


@pytest.mark.field("state")
def test_check_of_a_state_with_folders_that_no_job_knows(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    (house / "state" / "jobs" / "abcd1234").mkdir(parents=True)
    found = levels(house, "--offline", FAKE_KEY="x")["state"]
    assert any(level == "wrong" and "abcd1234" in text for level, text in found)


@pytest.mark.field("state")
def test_folders_that_no_job_knows_are_adopted(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    config = house / "config.toml"
    assert here("state", "adopt", config=config).out == "The database knows every folder.\n"
    folder = house / "state" / "jobs" / "abcd1234"
    (folder / "parts").mkdir(parents=True)
    (folder / "source").write_text("review\ngood\n")
    named = house / "state" / "jobs" / "named123"
    named.mkdir()
    (named / "source").write_text("review\nbetter\n")
    (named / "name").write_bytes("reviews/tháng năm.csv".encode())
    (house / "rejected" / "reviews").mkdir(parents=True)
    (house / "rejected" / "reviews" / "tháng năm.csv").write_text("of somebody else")
    (house / "outbox" / "reviews").mkdir(parents=True, exist_ok=True)
    (house / "outbox" / "reviews" / "may.report.json").write_text('{"job": "named123", "round": 1}')
    said = here("state", "adopt", config=config)
    assert said.status == 0
    assert (house / "rejected" / "adopted-abcd1234.csv").read_text() == "review\ngood\n"
    assert (house / "state" / "adopted" / "abcd1234" / "parts").is_dir()
    assert (house / "rejected" / "reviews" / "tháng năm (2).csv").read_text() == "review\nbetter\n"
    assert (house / "rejected" / "reviews" / "tháng năm.csv").read_text() == "of somebody else"
    assert "named123: " in said.out
    assert "its answers were delivered: reviews/may.report.json" in said.out
    assert "may be paid for" in said.out
    assert here("state", "adopt", "--json", config=config).json() == {"adopted": []}


def test_check_does_not_call_a_provider_without_its_key(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    [(level, text)] = levels(house, FAKE_KEY="")["provider fake"]
    assert level == "wrong"
    assert "FAKE_KEY is not set" in text


def test_check_says_once_that_the_secret_of_a_sink_is_missing(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    path = house / "config.toml"
    path.write_text(f'{path.read_text()}\n[sinks.warehouse]\nplugin = "postgres"\nurl = "env:WAREHOUSE"\n')
    [(level, text)] = levels(house, FAKE_KEY="x", WAREHOUSE="")["sink warehouse"]
    assert level == "wrong"
    assert "WAREHOUSE is not set" in text


def test_check_of_folders_that_are_missing_or_no_folders(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    (house / "outbox").rmdir()
    (house / "archive").rmdir()
    (house / "archive").touch()
    found = levels(house, FAKE_KEY="x")
    assert found["outbox"] == [
        ("wrong", f"{house}/outbox is not there. Mount it, or make it: mkdir -p '{house}/outbox'")
    ]
    assert found["archive"][0][0] == "wrong"
    assert "is not a folder" in found["archive"][0][1]
    assert found["inbox"][0][0] == "ok"
    assert found["state"][0] == ("note", f"{house}/state is not there yet; the daemon makes it.")
    assert here("check", config=house / "config.toml", FAKE_KEY="x").status == 5


def test_check_of_a_disk_that_is_almost_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = real_house(tmp_path / "house")
    for free, level in ((10**8, "wrong"), (10**9, "note"), (10**12, "ok")):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: type("Usage", (), {"free": free}))
        [(found, _)] = levels(house, "--offline", FAKE_KEY="x")["disk"]
        assert found == level


def test_check_of_a_state_on_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = real_house(tmp_path / "house")
    monkeypatch.setattr("batchd.system.mounts.file_system", lambda *_, **__: "nfs4")
    found = levels(house, "--offline", FAKE_KEY="x")
    assert found["state"][0][0] == "wrong"
    assert "network file system (nfs4)" in found["state"][0][1]
    assert any(level == "note" and "within 15 s" in text for level, text in found["inbox"])


RINGING = """
from batchd import Observer, Secret, Settings, hookimpl


class Bell(Observer):
    class Settings(Settings):
        token: Secret
        tone: str = "c"

    def __init__(self, settings):
        super().__init__(settings)
        self.tone = {"c": 262}[settings.tone]

    async def notice(self, event):
        raise AssertionError("nothing has happened")


@hookimpl
def register_observers(register):
    register("bell", Bell)
"""


OPENED = """async def aopen(self):
        from batchd import RejectedError
        raise RejectedError("It has no rope.")

    async def notice"""
KEEPING = """async def aopen(self):
        (self.state_folder / "cursor").touch()

    async def notice"""


def test_check_names_observers_and_looks_up_their_secrets(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    (house / "plugins.d" / "ringing.py").write_text(RINGING)
    path = house / "config.toml"
    before = path.read_text()
    path.write_text(before + '[observers.night]\nplugin = "bell"\ntoken = "env:BELL"\nevents = ["failed", "JobHeld"]\n')
    assert levels(house, FAKE_KEY="x", BELL="y")["observer night"] == [
        ("ok", "The key is in the environment variable BELL."),
        ("ok", "It receives these events: failed, JobHeld. Whether it can handle them was not checked."),
        ("ok", "It can be opened. Nothing was sent to it."),
    ]
    ringing = house / "plugins.d" / "ringing.py"
    ringing.write_text(RINGING.replace("async def notice", OPENED))
    _, _, (level, text) = levels(house, FAKE_KEY="x", BELL="y")["observer night"]
    assert (level, text) == ("wrong", "It has no rope.")
    # As in the daemon it has a folder of its own; not the one of the daemon, which may be at work with it.
    ringing.write_text(RINGING.replace("async def notice", KEEPING))
    assert levels(house, FAKE_KEY="x", BELL="y")["observer night"][-1][0] == "ok"
    assert not list((house / "state").rglob("cursor"))
    [(level, text), _] = levels(house, "--offline", FAKE_KEY="x", BELL="")["observer night"]
    assert (level, "BELL is not set" in text) == ("wrong", True)
    path.write_text(before + '[observers.bell]\ntoken = "env:BELL"\ntone = "h"\n')
    [_, (level, text)] = levels(house, "--offline", FAKE_KEY="x", BELL="y")["observer bell"]
    assert (level, "could not be made: KeyError: 'h'" in text) == ("wrong", True)


def test_check_leaves_nothing_behind(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    before = sorted(house.rglob("*"))
    levels(house, FAKE_KEY="x")
    assert [path for path in sorted(house.rglob("*")) if "__pycache__" not in path.parts] == before


# --- once ----------------------------------------------------------------------------------------------------------


def test_once_says_what_lies_where(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    reviews(tmp_path / "may.csv", "good", "bad", "fine")
    said = process("--config", house / "config.toml", "once", "may.csv", cwd=tmp_path)
    assert said.status == 3, said
    outbox = house / "outbox" / "reviews"
    assert said.out.splitlines() == [
        "reviews/may.csv: done. 3 rows: 2 ok, 1 failed. 0.025 USD.",
        f"  results  {outbox}/may.results.csv",
        f"  failed   {outbox}/may.failed.csv",
        f"  page     {outbox}/may.report.html",
        f"  report   {outbox}/may.report.json",
        f"  original {house}/archive/reviews/may.csv",
    ]
    with (outbox / "may.results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert "Received reviews/may.csv" in said.err
    assert (tmp_path / "may.csv").exists(), "the file is copied, not taken"


def test_once_says_which_workbook_has_the_failed_rows(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    settings = house / "config.toml"
    settings.write_text(settings.read_text().replace('model = "small"\n', 'model = "small"\nsinks = ["xlsx"]\n'))
    said = process("--config", settings, "once", reviews(tmp_path / "may.csv", "good", "bad"))
    assert said.status == 3, said
    for word in ("results", "failed"):
        assert f"  {word:9}{house}/outbox/reviews/may.{word}.xlsx" in said.out.splitlines()


def test_once_for_machines(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    reviews(house / "inbox" / "reviews" / "may.csv", "good")
    said = process("--config", house / "config.toml", "once", "--json", "--log-format", "json")
    assert said.status == 0
    record = json.loads(said.out)
    assert set(record) == {"exit_status", "interrupted", "jobs", "left"}
    [job] = record["jobs"]
    assert (job["source"], job["state"], job["rows"]["ok"]) == ("reviews/may.csv", "done", 1)
    assert all(Path(path).exists() for path in job["outputs"])
    assert all(json.loads(line)["level"] for line in said.err.splitlines())


def test_once_with_nothing_to_do(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    said = process("--config", house / "config.toml", "once")
    assert (said.status, said.out) == (
        0,
        "There was nothing to do: the inbox is empty, and no job was under way.\n",
    )


def test_once_tells_of_a_job_that_is_asked_again_by_order(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    reviews(house / "inbox" / "reviews" / "may.csv", "good", "bad")
    assert process("--config", house / "config.toml", "once").status == 3
    assert process("--config", house / "config.toml", "retry", "may.csv").status == 0
    said = process("--config", house / "config.toml", "once")
    assert said.status == 3
    assert said.out.startswith("reviews/may.csv: done. 2 rows: 1 ok, 1 failed.")
    assert f"  results  {house}/outbox/reviews/may (2).results.csv\n" in said.out


def test_once_with_a_file_that_is_rejected(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    (tmp_path / "odd.xyz").write_text("?")
    said = process("--config", house / "config.toml", "once", tmp_path / "odd.xyz")
    assert said.status == 1
    assert said.out.startswith("reviews/odd.xyz: rejected. ")
    assert f"  original {house}/rejected/reviews/odd.xyz" in said.out


def test_once_takes_a_file_in_the_inbox_from_there(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    file = reviews(house / "inbox" / "reviews" / "may.csv", "good")
    said = process("--config", house / "config.toml", "once", file)
    assert said.status == 0
    assert said.out.count("reviews/may.csv: done.") == 1
    assert not file.exists()


@pytest.mark.parametrize("arguments", [("missing.csv",), ("may.csv", "--route", "nope"), (".",)])
def test_once_used_wrongly(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    house = real_house(tmp_path / "house")
    reviews(tmp_path / "may.csv", "good")
    said = process("--config", house / "config.toml", "once", *arguments, cwd=tmp_path)
    assert said.status == 2
    assert not (house / "state").exists()


class Started(Child):
    """A daemon from the nursery, and what it has written."""

    def __init__(self, house: Path, *arguments: str) -> None:
        self.written = house / "out.txt", house / "err.txt"
        words = ["--config", str(house / "config.toml"), *arguments]
        super().__init__(shared_nursery(), words, self.written[0], str(self.written[1]), str(house), environment())

    def communicate(self) -> tuple[str, str]:
        """Both, once it has ended."""
        self.wait(60)
        return self.written[0].read_text(), self.written[1].read_text()


@contextmanager
def started(house: Path, *arguments: str) -> Iterator[Started]:
    """A daemon that does not outlive the block, however that ends."""
    daemon = Started(house, *arguments)
    try:
        yield daemon
    finally:
        daemon.kill()


def is_at_the_provider(house: Path) -> bool:
    with snapshot(house / "state") as state:
        return any(batch.remote for job in state.unfinished() for batch in job.batches)


def test_once_interrupted(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house", polls=1_000_000)
    reviews(house / "inbox" / "reviews" / "may.csv", "good")
    with started(house, "once") as daemon:
        wait_for(lambda: is_at_the_provider(house))
        daemon.send_signal(signal.SIGINT)
        out, err = daemon.communicate()
    assert daemon.returncode == 130
    assert out.splitlines()[0] == "reviews/may.csv: waiting for answers."
    assert out.splitlines()[-1].startswith("Interrupted. Jobs go on at the next start;")
    assert "Traceback" not in err


# --- run -----------------------------------------------------------------------------------------------------------


def test_run_orders_and_stops(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house", polls=1_000_000)
    config = house / "config.toml"
    with started(house, "run", "--log-format", "json", "--workers", "1") as daemon:
        reviews(house / "inbox" / "reviews" / ".may.part", "good", "fine").rename(
            house / "inbox" / "reviews" / "may.csv"
        )
        wait_for(lambda: is_at_the_provider(house))
        found = running(house / "state")
        assert found is not None
        assert found.process == daemon.pid
        record = process("--config", config, "status", "--json").json()
        assert record["daemon"] == {"running": True, "process": daemon.pid}
        [job] = record["jobs"]
        assert job["in_words"] == "waiting for answers"
        [answer] = process("--config", config, "cancel", "may.csv", "--json").json()
        assert answer["answered"] is True
        assert answer["answer"] == f"Job {job['id']} is being cancelled; rows that are answered already are delivered."
        wait_for(lambda: here("status", "--json", config=config).json()["jobs"][0]["finished"])
        hint = process("--config", config, "config", "set", "providers.fake.polls", "2").out
        assert f"kill -HUP {daemon.pid}" in hint
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate()
    assert daemon.returncode == 0
    entries = [json.loads(line) for line in err.splitlines()]
    assert {"JobClaimed", "JobCancelled", "Stop"} <= {entry["action"] for entry in entries}


def test_status_after_a_kill(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house", polls=1_000_000)
    reviews(house / "inbox" / "reviews" / "may.csv", "good")
    with started(house, "run") as daemon:
        wait_for(lambda: is_at_the_provider(house))
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.communicate()
    said = process("--config", house / "config.toml", "status")
    assert said.status == 0
    assert "No daemon is running. Jobs go on when it is started: batchd run" in said.out
    assert "waiting for answers" in said.out


def test_run_with_a_config_that_is_wrong(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    (house / "config.toml").write_text("[intak]\n")
    said = process("--config", house / "config.toml", "run")
    assert said.status == 4
    assert 'did you mean "intake"?' in said.err
    assert "Traceback" not in said.err


def test_warnings_of_the_config_are_in_the_log(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    path = house / "config.toml"
    path.write_text(path.read_text().replace("polls = 1", 'polls = 1\napi_key = "sk-literal-key-0123456789"'))
    with started(house, "run") as daemon:
        wait_for(lambda: running(house / "state") is not None)
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate()
    assert "warning" in err
    assert "sk-literal" not in err
