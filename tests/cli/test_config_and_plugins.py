"""`batchd config`, `plugins`, `state`, `completion`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from batchd import BatchdError, ConfigError, Duration, Settings, __version__
from batchd.cli.call import Call
from batchd.cli.installed import Installed

from .cli_kit import House, environment, finished_house, half_way, here
from .test_running import real_house

# --- config --------------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return real_house(tmp_path / "house") / "config.toml"


def test_get(config: Path) -> None:
    assert here("config", "get", "intake.settle", config=config).out == "100ms\n"
    assert here("config", "get", "providers.fake.polls", config=config).out == "1\n"
    assert here("config", "get", "routes.reviews.prompt", config=config).out == (
        'plugin = "template"\nuser = "Review: {{ review }}"\n'
    )
    assert here("config", "get", "routes.reviews.prompt", "--json", config=config).json() == {
        "plugin": "template",
        "user": "Review: {{ review }}",
    }
    assert here("config", "get", "intake.settle", "--json", config=config).json() == "100ms"


def test_get_covers_secrets(config: Path) -> None:
    config.write_text(config.read_text().replace("polls = 1", 'polls = 1\napi_key = "sk-literal-0123456789"'))
    for more in ((), ("--json",)):
        assert "sk-literal" not in here("config", "get", "providers", *more, config=config).out


@pytest.mark.field("check")
def test_get_covers_what_looks_like_a_secret_under_any_key(config: Path) -> None:
    more = """polls = 1
[providers.other]
plugin = "fake"
nobody_knows_this = "3f2b8c1d9e4a7f60b5c2d8e1"
base_url = "https://user:word-4711@host/v1"
[providers.other.headers]
Cookie = "session=abc"
X-Team = "blue"
"""
    config.write_text(config.read_text() + more.removeprefix("polls = 1"))
    told = here("config", "get", "providers.other", "--json", config=config).json()
    assert told == {
        "plugin": "fake",
        "nobody_knows_this": "***",
        "base_url": "***",
        "headers": {"Cookie": "***", "X-Team": "blue"},
    }
    assert here("config", "get", "providers.other.headers.Cookie", config=config).out == "***\n"


def test_get_what_is_not_there(config: Path) -> None:
    said = here("config", "get", "intake.setle", config=config)
    assert (said.status, said.out) == (4, "")
    assert "did you mean intake.settle?" in said.err


@pytest.mark.slow
def test_set(config: Path) -> None:
    config.write_text("# mine\n" + config.read_text())
    said = here("config", "set", "intake.settle", "3s", config=config)
    assert (said.status, said.out) == (0, f"Set intake.settle in {config}.\n")
    assert config.read_text().startswith("# mine\n")
    assert here("config", "get", "intake.settle", config=config).out == "3s\n"
    record = here("config", "set", "routes.reviews.attempts", "5", "--json", config=config).json()
    assert record == {
        "key": "routes.reviews.attempts",
        "value": 5,
        "comments_kept": True,
        "warnings": [],
        "daemon_running": False,
    }


@pytest.mark.slow
def test_set_does_not_echo_a_secret(config: Path) -> None:
    said = here("config", "set", "providers.fake.api_key", "sk-literal-0123456789", config=config)
    assert said.status == 0
    assert "sk-literal" not in said.out
    assert "Note: " in said.out
    record = here("config", "set", "providers.fake.api_key", "sk-literal-0123456789", "--json", config=config)
    assert "sk-literal" not in record.out


@pytest.mark.slow
def test_set_of_a_wrong_value_writes_nothing(config: Path) -> None:
    before = config.read_bytes()
    for key, value in (("intake.settle", "soon"), ("intake.nope", "1"), ("routes.reviews.provider", "other")):
        said = here("config", "set", key, value, config=config)
        assert said.status == 4
        assert said.err.startswith("batchd: Nothing was written, because ")
        assert config.read_bytes() == before


# --- plugins -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_plugins(config: Path) -> None:
    said = here("plugins", config=config)
    assert said.status == 0
    rows = [line.split("  ") for line in said.out.splitlines()]
    found = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["reader", "csv", "files", f"batchd {__version__}"] in found
    assert ["provider", "fake", "service", str(config.parent / "plugins.d" / "service.py")] in found
    record = here("plugins", "--json", config=config).json()
    assert set(record) == {"install", "offers", "broken", "disabled"}
    [fake] = [offer for offer in record["offers"] if offer["kind"] == "fake"]
    assert fake == {
        "role": "provider",
        "kind": "fake",
        "plugin": "service",
        "distribution": None,
        "where": str(config.parent / "plugins.d" / "service.py"),
    }


@pytest.mark.slow
def test_broken_plugins_are_listed_with_the_reason_and_nothing_fails(config: Path) -> None:
    (config.parent / "plugins.d" / "worse.py").write_text("import nothing_of_that_name\n")
    said = here("plugins", config=config)
    assert said.status == 0
    assert 'The plugin "worse" of' in said.out
    assert "No module named 'nothing_of_that_name'" in said.out
    [broken] = here("plugins", "--json", config=config).json()["broken"]
    assert set(broken) == {"plugin", "distribution", "where", "role", "kinds", "reason"}
    assert broken["plugin"] == "worse"


def test_disabled_plugins_are_listed(config: Path) -> None:
    config.write_text('[plugins]\ndisabled = ["jsonl", "prompts"]\n\n' + config.read_text().replace("plugin_dir", "# "))
    said = here("plugins", config=config)
    assert said.status == 0
    heading, *lines = said.out.split("\n\n")[1].splitlines()
    assert heading == "Disabled by [plugins] disabled:"
    assert lines == [
        f'  - The plugin "prompts" of batchd {__version__} is not loaded.',
        f'  - The reader "jsonl" of the plugin "files" of batchd {__version__} is not offered.',
        f'  - The sink "jsonl" of the plugin "files" of batchd {__version__} is not offered.',
    ]
    record = here("plugins", "--json", config=config).json()
    assert [(each["plugin"], each["role"], each["kind"]) for each in record["disabled"]] == [
        ("prompts", None, None),
        ("files", "reader", "jsonl"),
        ("files", "sink", "jsonl"),
    ]
    assert "template" not in {offer["kind"] for offer in record["offers"]}


def test_plugins_without_a_config() -> None:
    assert "template" in here("plugins").out
    assert here("--config", "none.toml", "plugins").status == 4


# --- state ---------------------------------------------------------------------------------------------------------


def test_state_path(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    assert here("state", "path", config=house.config).out == f"{house.state}/batchd.db\n"
    assert here("state", "path", "--json", config=house.config).json() == {
        "folder": str(house.state),
        "database": f"{house.state}/batchd.db",
    }


# --- completion ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(tmp_path: Path, shell: str) -> None:
    said = here("completion", shell)
    assert said.status == 0
    assert "_BATCHD_COMPLETE" in said.out
    assert f"batchd completion {shell} > ~/" in said.out
    program = shutil.which(shell)
    if program is not None:
        script = tmp_path / "script"
        script.write_text(said.out)
        subprocess.run([program, "-n", str(script)], check=True)
    if shell == "zsh":
        assert said.out.startswith("#compdef batchd\n")


def test_completion_for_an_unknown_shell() -> None:
    said = here("completion", "tcsh")
    assert said.status == 2
    assert "'bash', 'fish', 'zsh'" in said.err


def completed(words: str, config: Path) -> list[str]:
    """What bash would offer."""
    asked = environment(
        _BATCHD_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - (0 if words.endswith(" ") else 1)),
        BATCHD_CONFIG=str(config),
    )
    done = subprocess.run([sys.executable, "-m", "batchd"], env=asked, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.slow
def test_completion_of_commands_and_jobs(tmp_path: Path) -> None:
    house, [under_way] = half_way(tmp_path / "house", "reviews/june.csv")
    assert completed("batchd st", house.config) == ["status", "state"]
    assert completed("batchd status ", house.config) == [under_way]
    assert completed("batchd cancel ", house.config) == [under_way]
    other, finished = finished_house(tmp_path / "other")
    assert completed("batchd retry 0", other.config) == [finished]
    assert completed("batchd cancel 0", other.config) == []
    assert completed("batchd status ", tmp_path / "none.toml") == []


# --- colours -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_colours_in_a_pipe(config: Path) -> None:
    (config.parent / "plugins.d" / "worse.py").write_text("import nothing_of_that_name\n")
    for arguments in (["plugins"], ["check", "--offline"], ["status"], ["--help"]):
        assert "\x1b" not in here(*arguments, config=config).out


@pytest.mark.slow
def test_json_is_never_coloured(config: Path) -> None:
    said = here("plugins", "--json", config=config, FORCE_COLOR="1")
    assert json.loads(said.out)
    assert os.linesep in said.out


# --- commands of plugins ---------------------------------------------------------------------------------------------

LOOKING = """
from batchd import hookimpl


def make_looking(batchd):
    import click

    @click.command()
    def looking():
        "Look."
        click.echo(f"{batchd.config_path} {len(batchd.status()['jobs'])}")

    return looking


@hookimpl
def register_commands(register):
    register("looking", make_looking)
"""


class LookingSettings(Settings):
    after: Duration = Duration("1h")


def test_a_command_is_given_settings_configuration_and_status(config: Path) -> None:
    text = config.read_text().replace("polls = 1", 'polls = 1\napi_key = "sk-literal-0123456789"')
    config.write_text(text + '\n[commands.looking]\nafter = "2h"\n')
    batchd = Installed("looking", Call(config=str(config)))
    assert batchd.settings(LookingSettings).after == 7200.0
    assert Installed("other", Call(config=str(config))).settings(LookingSettings).after == 3600.0
    assert batchd.config()["providers"]["fake"]["api_key"] == "***"
    assert (batchd.config_path, batchd.status()["jobs"]) == (config, [])
    assert batchd.state_folder == config.parent / "state" / "plugins" / "commands" / "looking"
    with pytest.raises(BatchdError, match="nothing.csv"):
        batchd.job("nothing.csv")
    config.write_text(text + '\n[commands.looking]\naftr = "2h"\n')
    with pytest.raises(ConfigError, match="looking. aftr: there is no such key here; did you mean .after."):
        batchd.settings(LookingSettings)


@pytest.mark.slow
def test_a_command_of_a_plugin_looks_at_batchd(config: Path) -> None:
    (config.parent / "plugins.d" / "looking.py").write_text(LOOKING)
    config.write_text(config.read_text() + "\n[commands.lookin]\nafter = 1\n")
    said = here("looking", config=config)
    assert (said.status, said.out) == (0, f"{config} 0\n"), said.err
    said = here("config", "set", "intake.settle", "2s", config=config)
    assert said.status == 4
    assert '[commands.lookin]: there is no command "lookin"; did you mean "looking"?' in said.err
