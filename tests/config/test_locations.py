"""Finding the config and the folders that commands need at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from batchd.config.locations import find_config, plugin_folder, state_folder
from batchd.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('[folders]\nstate = "deep/state"\n')
    return path


@pytest.mark.parametrize(
    ("option", "variable", "found"),
    [
        (None, None, "config.toml"),
        (None, "", "config.toml"),
        (None, "other.toml", "other.toml"),
        ("option.toml", "other.toml", "option.toml"),
    ],
)
def test_the_option_wins_over_the_variable_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str | None, variable: str | None, found: str
) -> None:
    for name in ("config.toml", "other.toml", "option.toml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    environment = {} if variable is None else {"BATCHD_CONFIG": variable}
    assert find_config(option, environment) == tmp_path / found


def test_the_variable_is_that_of_the_process(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHD_CONFIG", str(config))
    assert find_config() == config


def test_home_is_understood(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(config.parent))
    assert find_config("~/config.toml", {}) == config


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config(str(tmp_path / "x.toml"), {})
    assert str(caught.value) == f"There is no configuration at {tmp_path}/x.toml. Write one with: batchd init"


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config(str(tmp_path), {})
    assert str(caught.value) == f"{tmp_path} is a folder. Name the file: {tmp_path}/config.toml"


def test_the_state_folder_is_relative_to_the_config(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert state_folder(config) == config.parent / "deep" / "state"


@pytest.mark.parametrize("text", ["", "[folders]\n", "[routes.broken]\nmodel = 3\n"])
def test_the_state_folder_has_a_default_and_does_not_mind_the_rest(config: Path, text: str) -> None:
    config.write_text(text)
    assert state_folder(config) == config.parent / "state"


@pytest.mark.parametrize(
    ("text", "line"), [("[folders]\nstate = 3\n", 2), ('[folders]\nstate = ""\n', 2), ("\nfolders = 3\n", 2)]
)
def test_a_state_folder_that_is_none(config: Path, text: str, line: int) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        state_folder(config)
    assert str(caught.value) == f"{config}:{line}: [folders] state: write the name of a folder."


def test_absolute_and_home_paths(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    config.write_text('[folders]\nstate = "/var/lib/batchd"\n')
    assert state_folder(config) == Path("/var/lib/batchd")
    config.write_text('[folders]\nstate = "~/state"\n')
    assert state_folder(config) == Path("/home/ada/state")
    config.write_text('[folders]\nstate = "../state"\n')
    assert state_folder(config) == config.parent.parent / "state"


def test_the_plugin_folder(config: Path) -> None:
    assert plugin_folder(config) is None
    config.write_text('plugin_dir = "plugins.d"\n')
    assert plugin_folder(config) == config.parent / "plugins.d"
    config.write_text("\nplugin_dir = 3\n")
    with pytest.raises(ConfigError) as caught:
        plugin_folder(config)
    assert str(caught.value) == f"{config}:2: plugin_dir: write the name of a folder."


def test_it_starts_without_pydantic(config: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from batchd.config.locations import state_folder;"
        f"print(state_folder(Path({str(config)!r})).name,"
        "sorted({'pydantic', 'pluggy', 'asyncio'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "state []"
