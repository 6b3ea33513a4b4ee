"""Every way a command can end: one sentence on standard error, the right exit status, never a traceback."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from batchd import __version__
from batchd.cli import ending
from batchd.cli.call import Call
from batchd.cli.main import EXIT_STATUSES, SECTIONS
from batchd.cli.main import batchd as group
from batchd.errors import BatchdError, ConfigError, PluginError, StateLocked, StateUnusable, TransientError
from batchd.store.spool import Spool

from .cli_kit import House, environment, finished_house, here, process

BUILT_IN = [name for commands in SECTIONS.values() for name in commands]


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (ConfigError("One.\nTwo."), 4, "batchd: One.\nbatchd: Two.\n"),
        (PluginError("Broken."), 4, "batchd: Broken.\n"),
        (StateLocked("Taken."), 11, "batchd: Taken.\n"),
        (StateUnusable("Damaged."), 5, "batchd: Damaged.\n"),
        (TransientError("Down."), 5, "batchd: Down.\n"),
        (BatchdError("Odd."), 1, "batchd: Odd.\n"),
        (click.ClickException("A plugin's."), 1, "batchd: A plugin's.\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/srv/x"), 5, "batchd: /srv/x: No space left on device.\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/srv/x"),
            5,
            "batchd: /srv/x: Permission denied. Give this user the right to it, or run the command as another user.\n",
        ),
        (ExceptionGroup("loops", [ExceptionGroup("work", [StateUnusable("Deep.")])]), 5, "batchd: Deep.\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (click.UsageError("Wrong."), 2, "Error: Wrong.\n"),
    ],
)
def test_each_error_has_its_status(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(group, "main", fail)
    said = here("status")
    assert (said.status, said.err, said.out) == (status, says, "")


def test_a_fault_of_ours_says_so_and_how_to_see_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(group, "main", fail)
    said = here("status")
    assert said.status == 1
    assert said.err == (
        "batchd: This is a bug in batchd: ZeroDivisionError: division by zero. "
        "To see where: batchd --log-level debug, then the same command.\n"
    )


@pytest.mark.parametrize("where", ["before", "in the environment"])
def test_debug_shows_the_traceback(tmp_path: Path, where: str) -> None:
    before = ["--log-level", "debug"] if where == "before" else []
    more = {} if before else {"BATCHD_LOG_LEVEL": "debug"}
    said = here(*before, "--config", tmp_path / "none.toml", "status", **more)
    assert said.status == 4
    assert said.err.startswith("Traceback (most recent call last):")
    assert said.err.splitlines()[-1].startswith("batchd: There is no configuration at ")


@pytest.mark.slow
def test_a_real_process_ends_the_same_way(tmp_path: Path) -> None:
    said = process("status", cwd=tmp_path)
    assert (said.status, said.out) == (4, "")
    assert said.err == f"batchd: There is no configuration at {tmp_path}/config.toml. Write one with: batchd init\n"
    assert process("status", "--wat", cwd=tmp_path).status == 2
    assert process("wat", cwd=tmp_path).status == 2
    assert process(cwd=tmp_path).status == 2


@pytest.mark.slow
def test_a_state_that_another_daemon_has(tmp_path: Path) -> None:
    from .test_running import real_house

    house = real_house(tmp_path / "house")
    with Spool(house / "state").locked():
        said = process("--config", house / "config.toml", "once")
    assert said.status == 11
    assert said.err.startswith("batchd: Another batchd (process ")


@pytest.mark.slow
def test_the_reader_of_our_output_may_stop_reading(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "batchd", "--config", str(house.config), "status", "--json"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment(), check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
def test_a_full_disk_behind_our_output(tmp_path: Path) -> None:
    house, _ = finished_house(tmp_path / "house")
    command = [sys.executable, "-m", "batchd", "--config", str(house.config), "status", "--json"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
    assert done.returncode == 5
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
def test_a_terminal_that_cannot_show_everything(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    house.run("reviews/đánh-giá.csv", ["good"])
    command = [sys.executable, "-m", "batchd", "--config", str(house.config), "status"]
    latin = environment(PYTHONIOENCODING="latin-1")
    done = subprocess.run(command, env=latin, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "reviews/?ánh-giá.csv" in done.stdout.decode("latin-1")


# --- help ----------------------------------------------------------------------------------------------------------


def test_help_ends_with_the_exit_statuses() -> None:
    said = here("--help")
    assert said.status == 0
    for number, meaning in EXIT_STATUSES:
        assert any(line.split(maxsplit=1) == [number, meaning] for line in said.out.splitlines())
    for name in (*BUILT_IN, "demo", "sandbox"):
        assert any(line.startswith(f"  {name} ") for line in said.out.splitlines()), name
    assert here("-h").out.splitlines() == said.out.splitlines()


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_command_has_a_help_worth_reading(name: str) -> None:
    said = here(name, "--help")
    assert said.status == 0
    command = group.get_command(click.Context(group, obj=Call()), name)
    assert command is not None
    assert len(command.get_short_help_str(200)) <= 62, "the list of commands shows it whole on 80 columns"
    if isinstance(command, click.Group):
        for inner in command.commands:
            assert "Examples:" in here(name, inner, "--help").out or inner == "path"
    elif name != "plugins":
        assert "Examples:" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


def test_version() -> None:
    assert here("--version").out == f"batchd {__version__}\n"


# --- options by environment ------------------------------------------------------------------------------------------


def test_the_config_by_environment(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    said = here("status", BATCHD_CONFIG=str(house.config))
    assert job in said.out


def test_options_by_environment(tmp_path: Path) -> None:
    house, job = finished_house(tmp_path / "house")
    said = here("status", config=house.config, BATCHD_STATUS_JSON="1", BATCHD_STATUS_ALL="yes")
    assert json.loads(said.out)["jobs"][0]["id"] == job
    assert "Choice" not in said.err
    assert here("status", config=house.config, BATCHD_STATUS_JSON="maybe").status == 2


def every_option() -> list[tuple[list[str], click.Option]]:
    """Each option of each built-in command, with the words that lead to it."""
    found: list[tuple[list[str], click.Option]] = []

    def look(words: list[str], command: click.Command) -> None:
        found.extend((words, each) for each in command.params if isinstance(each, click.Option))
        if isinstance(command, click.Group):
            for name in command.commands if words else BUILT_IN:
                inner = command.get_command(click.Context(command, obj=Call()), name)
                assert inner is not None
                look([*words, name], inner)

    look([], group)
    return found


def test_every_option_is_called_in_the_environment_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, option in every_option():
        name = max(option.opts, key=len).removeprefix("--").replace("-", "_").upper()
        if name in {"HELP", "VERSION"}:
            continue
        prefix = "_".join(["BATCHD", *(word.upper().replace("-", "_") for word in words)])
        variable = f"{prefix}_{name}"
        context = click.Context(group, auto_envvar_prefix=prefix)
        monkeypatch.setenv(variable, "here")
        assert option.resolve_envvar_value(context) == "here", variable


# --- commands of plugins -------------------------------------------------------------------------------------------


PAINT = """
import click
from batchd import hookimpl


def paint():
    @click.command()
    @click.option("--colour", default="green")
    def paint(colour):
        "Paint the town."
        click.echo(f"painted {colour}")

    return paint


def broken():
    raise RuntimeError("no paint")


@hookimpl
def register_commands(register):
    register("paint", paint)
    register("broken", broken)
    register("status", paint)
    register("odd", lambda: "not a command")
"""


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    """A config whose plugin folder offers commands."""
    house = House(tmp_path / "house")
    (house.folder / "plugins.d").mkdir()
    (house.folder / "plugins.d" / "painting.py").write_text(PAINT)
    house.config.write_text('plugin_dir = "plugins.d"\n' + house.config.read_text())
    return house.config


def test_a_command_of_a_plugin(painted: Path) -> None:
    assert here("paint", "--colour", "red", config=painted).out == "painted red\n"
    assert here("paint", config=painted, BATCHD_PAINT_COLOUR="blue").out == "painted blue\n"


def test_plugins_cannot_take_the_place_of_what_is_built_in(painted: Path) -> None:
    assert "No file has been received yet." in here("status", config=painted).out


def test_a_broken_command_is_named_and_stops_nothing_else(painted: Path) -> None:
    said = here("broken", config=painted)
    assert said.status == 4
    assert said.err == "batchd: The plugin that offers `batchd broken` is broken: RuntimeError: no paint\n"
    assert "not a click.Command" in here("odd", config=painted).err
    listed = here("--help", config=painted)
    assert listed.status == 0
    assert "Paint the town." in listed.out
    assert "RuntimeError: no paint" in " ".join(listed.out.split())


def test_a_missing_command_may_be_a_broken_plugins(painted: Path) -> None:
    assert "batchd plugins" not in here("wat", config=painted).err
    (painted.parent / "plugins.d" / "worse.py").write_text("import nothing_of_that_name\n")
    said = here("wat", config=painted)
    assert said.status == 2
    assert "No such command 'wat'." in said.err
    assert "Some plugins are broken, and one of them may have it: batchd plugins" in said.err


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant() -> None:
    said = here("statsu")
    assert said.status == 2
    assert "No such command 'statsu'. Did you mean status?" in said.err


def test_help_without_a_usable_config(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("this is not TOML")
    said = here("--help")
    assert said.status == 0
    assert "sandbox" in said.out


def test_the_exit_status_of_every_error_is_documented() -> None:
    def all_of(kind: type[BatchdError]) -> set[int]:
        return {kind.exit_status}.union(*(all_of(each) for each in kind.__subclasses__()))

    known = {int(number) for number, _ in EXIT_STATUSES}
    assert all_of(BatchdError) <= known
    assert {ending.FAULT, ending.WRONG_USE, ending.NOT_AVAILABLE, ending.INTERRUPTED} <= known


@pytest.mark.parametrize("name", ["config.toml", "may.csv"])
def test_the_demo_writes_over_nothing_that_is_not_its_own(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine\n")
    said = here("demo", str(tmp_path))
    assert said.status == 2
    assert f"{name} is not from a demo, and the demo would overwrite it. Nothing was changed." in said.err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine\n")]


@pytest.mark.parametrize("waits", [False, True], ids=["alone", "beside a thread"])
def test_a_process_ends_with_all_that_was_printed(waits: bool) -> None:
    code = f"""
import atexit, sys, threading
from batchd import __main__
from batchd.cli import ending

def run():
    sys.stdout.write("x" * 100_000)
    if {waits}:
        began = threading.Event()
        threading.Thread(target=lambda: (began.wait(), print("thread")), daemon=False).start()
        atexit.register(print, "atexit")
        threading.Timer(0.1, began.set).start()
    else:
        atexit.register(print, "atexit")
    return 3

ending.run = run
sys.exit(__main__.main())
"""
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run([sys.executable, "-c", code], env=buffered, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == "x" * 100_000 + ("thread\n" if waits else "") + "atexit\n"
