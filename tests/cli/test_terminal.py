"""On a terminal: tables that fit its width, colours, and nothing left over when it is done."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from batchd.domain.lifecycle import Poll
from batchd.domain.subjects import Subject
from batchd.store.spool import Spool
from batchd.testing.household import Living

from ..durability.rig import Child, shared_nursery
from .cli_kit import House, Thirds, after, drain, environment, finished_house, half_way, stuck
from .test_running import real_house, reviews, wait_for

pytestmark = pytest.mark.slow

_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *arguments: str | Path, columns: int = 80, cwd: Path | None = None, **more: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        plain = {key: value for key, value in environment(**more).items() if key not in {"COLUMNS", "LINES"}}
        name, words, folder = Path(os.ttyname(slave)), list(map(str, arguments)), str(cwd or Path.cwd())
        self.process = Child(shared_nursery(), words, name, None, folder, plain)
        os.close(slave)
        self.raw = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read(self, until: Callable[[str], bool] = lambda _: False) -> str:
        """What it has written, up to its end or until this is so."""
        while not until(self.raw):
            try:
                piece = os.read(self._master, 65_536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            self.raw += self._decoder.decode(piece)
        return self.raw

    def type(self, text: str) -> None:
        """What a person types."""
        os.write(self._master, text.encode())

    def end(self) -> tuple[int, str]:
        """The exit status and all that was written."""
        self.read()
        status = self.process.wait(60)
        os.close(self._master)
        return status, self.raw


def shown(*arguments: str | Path, columns: int = 80, **more: str) -> str:
    """What a command that ends by itself leaves on the terminal."""
    status, raw = Terminal(*arguments, columns=columns, **more).end()
    assert status == 0, raw
    return raw


def plain(raw: str) -> list[str]:
    return [line.rstrip() for line in _SEQUENCE.sub("", raw).replace("\r", "").splitlines()]


@pytest.fixture
def busy(tmp_path: Path) -> House:
    """Jobs in most states, some with long names."""
    house, _ = finished_house(tmp_path / "house")
    stuck(house)
    house.run("reviews/2026/05/đánh-giá-của-khách-hàng-tháng-năm.csv", ["fine"])
    house.provider = Thirds(house.service)
    house.clock.advance(1)
    house.run("reviews/2026/06/a-rather-long-name-of-a-file-from-a-shared-folder.csv", ["x", "y"], until=after(Poll))

    async def complain(living: Living) -> None:
        await living.context.store.event_log.raise_condition(
            Subject.provider("fake"), "The service refuses the key. " * 4
        )

    house.live(complain)
    return house


@pytest.mark.parametrize("columns", [50, 80, 120, 200])
def test_status_fits_the_terminal(busy: House, columns: int) -> None:
    with Spool(busy.state).locked():
        lines = plain(shown("--config", busy.config, "status", columns=columns))
    assert max(map(cell_len, lines)) <= columns
    text = "\n".join(lines)
    assert "The daemon is running" in text
    assert "! provider fake, since" in text
    assert "Under way" in text
    assert "Finished last" in text
    assert "stopped" in text
    assert "waiting for answers" in text
    # However narrow it is: which job, whose file (its end says most), how far.
    [line] = [line for line in lines if "lder.csv" in line and "0/2" in line]
    assert ("reviews/2026/06/a-rather-long-name" in line) == (columns >= 200)
    assert any("EUR" in line for line in lines if "done  " in line) == (columns >= 80)
    # Totals come before what needs a person, and that before all else.
    assert (
        text.index("Jobs: 1 under way")
        < text.index("! provider fake")
        < text.index("tuck.csv")
        < text.index("lder.csv")
    )


def test_columns_stand_in_line_with_wide_characters(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    for name in ("日本語のレビュー.csv", "plain.csv", "e\u0301te\u0301.csv"):
        house.run(f"reviews/{name}", [name])
    lines = plain(shown("--config", house.config, "status", columns=100))
    places = {cell_len(line[: line.index("reviews  done")]) for line in lines if "reviews  done" in line}
    assert len(places) == 1


def test_many_jobs_leave_the_totals_on_the_screen_and_can_be_scrolled(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    house.provider = Thirds(house.service)
    half_way(tmp_path / "house", *(f"reviews/{number:02}.csv" for number in range(50)))
    lines = plain(shown("--config", house.config, "status"))
    assert len(lines) <= 40
    assert "Jobs: 50 under way, 0 waiting." in "\n".join(lines)
    assert (
        lines[[line.endswith("more jobs under way:") for line in lines].index(True) + 1] == "  batchd status --limit 0"
    )
    assert (
        sum("0/9" in line or "3/9" in line for line in plain(shown("--config", house.config, "status", "--limit", "0")))
        == 50
    )
    terminal = Terminal("--config", house.config, "status", "--watch")
    terminal.read(lambda raw: "lines 1-39 of" in raw)
    terminal.type("\x1b[B" * 3)  # one key that is held down
    terminal.read(lambda raw: "lines 4-42 of" in raw)
    terminal.type("G")
    last = terminal.read(lambda raw: "49.csv" in raw)
    assert "49.csv" in last
    terminal.type("q")
    assert terminal.end()[0] == 0


@pytest.mark.slow
def test_colours_unless_no_color(busy: House) -> None:
    # Styles such as bold stay, as no-color.org has it; what must be gone are the colours.
    colour = re.compile(r"\x1b\[[0-9;]*3[1-7]m")
    assert colour.search(shown("--config", busy.config, "status"))
    assert not colour.search(shown("--config", busy.config, "status", NO_COLOR="1"))
    assert colour.search(shown("--config", busy.config, "status", "may.csv"))
    assert not colour.search(shown("--config", busy.config, "status", "may.csv", NO_COLOR="1"))


def test_details_are_folded_but_paths_are_not_broken(busy: House) -> None:
    lines = plain(shown("--config", busy.config, "status", "stuck.csv"))
    assert max(map(len, (line for line in lines if "/" not in line))) <= 80
    lines = plain(shown("--config", busy.config, "status", "may.csv", columns=60))
    assert any(line.endswith(f"{busy.folder}/outbox/reviews/may.results.csv") for line in lines)


def test_watch_shows_again_and_again_until_ctrl_c(tmp_path: Path) -> None:
    house, _ = half_way(tmp_path / "house", "reviews/june.csv")
    terminal = Terminal("--config", house.config, "status", "--watch")
    terminal.read(until=lambda text: text.count("june.csv") >= 2)
    terminal.process.send_signal(signal.SIGINT)
    status, raw = terminal.end()
    assert status == 0
    assert "Traceback" not in raw
    assert "3/9" in raw
    # The cursor was hidden meanwhile, and is back.
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")


def test_watching_a_job_that_is_finished(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    assert job in shown("--config", house.config, "status", job, "--watch")


@pytest.mark.slow
def test_once_shows_how_far_it_is_and_then_what_lies_where(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house", polls=5)
    reviews(house / "inbox" / "reviews" / "may.csv", "good", "fine")
    status, raw = Terminal("--config", house / "config.toml", "once", columns=100).end()
    assert status == 0, raw
    assert "waiting for answers" in raw
    assert "0/2" in raw
    assert "Received reviews" not in raw, "the log would tear the display"
    assert plain(raw)[-5].endswith("reviews/may.csv: done. 2 rows: 2 ok. 0.025 USD.")


@pytest.mark.slow
def test_once_with_a_log_level_logs_instead(tmp_path: Path) -> None:
    house = real_house(tmp_path / "house")
    reviews(house / "inbox" / "reviews" / "may.csv", "good")
    status, raw = Terminal("--config", house / "config.toml", "once", "--log-level", "info").end()
    assert status == 0
    assert "Received reviews/may.csv" in raw
    assert "Under way" not in raw


class Hanging:
    """`batchd run` that leads the session of a terminal, as in a window of its own."""

    def __init__(self, folder: Path, *, nohup: bool = False) -> None:
        self.folder = real_house(folder)
        self.log = folder / "log"
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            if nohup:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 2)
            command = [sys.executable, "-m", "batchd", "--config", str(folder / "config.toml"), "run"]
            os.execve(sys.executable, command, environment())
        wait_for(lambda: "Watching" in self.said())

    def said(self) -> str:
        """The log so far."""
        return self.log.read_text() if self.log.exists() else ""

    def work(self) -> None:
        """Let it answer a file, so that it has workers."""
        before = len(list((self.folder / "outbox").rglob("*.report.json")))
        reviews(self.folder / f"inbox/reviews/{before}.csv", "good")
        wait_for(lambda: len(list((self.folder / "outbox").rglob("*.report.json"))) > before)

    def end(self) -> int:
        """Its exit status, that of a kill if it does not end in good time."""
        handle = os.pidfd_open(self.pid)
        if not select.select([handle], [], [], 60)[0]:
            os.kill(self.pid, signal.SIGKILL)
        os.close(handle)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.third
@pytest.mark.slow
@pytest.mark.field("folders")
def test_closing_the_terminal_stops_it_in_good_order(tmp_path: Path) -> None:
    running = Hanging(tmp_path / "house")
    running.work()
    os.close(running.master)
    assert running.end() == 0
    assert "Stopped. What is under way goes on at the next start." in running.said()
    assert "died" not in running.said()


@pytest.mark.third
@pytest.mark.slow
@pytest.mark.field("folders")
def test_in_a_terminal_that_is_still_there_sighup_reloads(tmp_path: Path) -> None:
    running = Hanging(tmp_path / "house")
    os.kill(running.pid, signal.SIGHUP)
    wait_for(lambda: "reload" in running.said().lower() or "read again" in running.said())
    running.work()
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 0
    os.close(running.master)


@pytest.mark.third
@pytest.mark.slow(seconds=5)
@pytest.mark.field("folders")
def test_with_nohup_it_outlives_its_terminal(tmp_path: Path) -> None:
    running = Hanging(tmp_path / "house", nohup=True)
    os.close(running.master)
    running.work()
    os.kill(running.pid, signal.SIGTERM)
    assert running.end() == 0


@pytest.mark.field("people's data")
@pytest.mark.parametrize(("answer", "status", "purged"), [("n", 1, False), ("y", 0, True)])
def test_purge_names_the_file_and_does_what_it_is_told(
    tmp_path: Path, answer: str, status: int, *, purged: bool
) -> None:
    house, job = finished_house(tmp_path / "house")
    terminal = Terminal("--config", house.config, "purge", job)
    asked = terminal.read(until=lambda raw: "[y/N]" in raw)
    assert f"keep of reviews/may.csv (job {job})? This cannot be undone. [y/N]" in " ".join(plain(asked))
    terminal.type(answer + "\n")
    assert terminal.end()[0] == status
    house.live(drain)
    assert (house.state / "jobs" / job).exists() != purged
