"""The unit files, judged by systemd itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from batchd.errors import ConfigError, PluginError, StateLocked

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = (FOLDER / "batchd.service").read_text()


def directives(text: str) -> dict[str, list[str]]:
    """Key to values, comments left out."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def analyze(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    # It wants the program to be there, and that is not what is tested.
    unit = tmp_path / "batchd.service"
    unit.write_text(UNIT.replace("/usr/bin/batchd", "/bin/true"))

    def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([tool, *arguments, str(unit)], capture_output=True, text=True, check=False)

    return analyze


def test_the_unit_is_clean(analyze: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = analyze("verify", "--man=no")
    # Complaints about other units of the machine are not ours.
    assert [line for line in done.stderr.splitlines() if "batchd" in line] == []
    assert done.returncode == 0, done.stderr


def test_the_unit_is_as_closed_as_it_can_be(analyze: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = analyze("security", "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for batchd.service: (\d+\.\d+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= 1.5


def test_it_is_not_started_again_where_that_would_not_help() -> None:
    (statuses,) = directives(UNIT)["RestartPreventExitStatus"]
    wrong_use = 2
    expected = {wrong_use, ConfigError.exit_status, PluginError.exit_status, StateLocked.exit_status}
    assert {int(status) for status in statuses.split()} == expected


def test_it_starts_what_the_page_installs() -> None:
    unit = directives(UNIT)
    assert unit["ExecStart"] == ["/usr/bin/batchd --config /etc/batchd/config.toml run"]
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert unit["Type"] == ["notify"]
    assert unit["LoadCredential"] == ["api_key:/etc/batchd/api_key"]
    page = (FOLDER.parent / "docs" / "service.md").read_text()
    for named in (
        "/usr/bin/batchd",
        "/etc/batchd/config.toml",
        "/etc/batchd/api_key",
        "batchd.sysusers",
        "batchd.tmpfiles",
    ):
        assert named in page


def test_the_boot_can_be_told_inside_the_sandbox() -> None:
    # With ProcSubset=pid /proc/sys is gone, and every restart would count as a reboot.
    assert "ProcSubset" not in directives(UNIT)


def test_what_it_writes_to_it_may_write_to() -> None:
    folders = tomllib.loads((FOLDER / "examples" / "folders.toml").read_text())["folders"]
    unit = directives(UNIT)
    writable = [*unit["ReadWritePaths"], *(f"/var/lib/{name}" for name in unit["StateDirectory"])]
    for name, folder in folders.items():
        assert any(Path(folder).is_relative_to(root) for root in writable), name
    mounts = unit["RequiresMountsFor"][0].split()
    assert set(mounts) == set(writable)


def test_the_folders_of_the_example_fit_the_default_config(tmp_path: Path) -> None:
    default = tomllib.loads((FOLDER.parent / "config.toml").read_text())
    example = tomllib.loads((FOLDER / "examples" / "folders.toml").read_text())
    assert example["folders"].keys() == default["folders"].keys()
    assert example["providers"].keys() <= default["providers"].keys()
    (credential,) = directives(UNIT)["LoadCredential"]
    assert example["providers"]["holysheep"]["api_key"] == f"credential:{credential.partition(':')[0]}"


def test_tmpfiles_makes_the_folders(tmp_path: Path) -> None:
    lines = [line.split() for line in (FOLDER / "batchd.tmpfiles").read_text().splitlines() if line[:1] == "d"]
    made = {path: (mode, user, group) for _, path, mode, user, group, _ in lines}
    folders = tomllib.loads((FOLDER / "examples" / "folders.toml").read_text())["folders"]
    for name in ("inbox", "outbox", "archive", "rejected"):
        mode, user, group = made[folders[name]]
        assert mode.startswith("2"), "setgid, or batchd cannot read what is dropped"
        assert (user, group) == ("batchd", "batchd")
    # A user who may write plugins may run code.
    assert made["/etc/batchd/plugins.d"] == ("0755", "root", "root")


def test_systemd_accepts_the_user_and_the_folders(tmp_path: Path) -> None:
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if os.geteuid() != 0:
        pytest.skip("only root may hand folders to another user")
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group"):
        (tmp_path / "etc" / name).touch()
    for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        file = FOLDER / f"batchd.{command[0].removeprefix('systemd-')}"
        done = subprocess.run([*command, f"--root={tmp_path}", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "batchd:x:" in (tmp_path / "etc" / "passwd").read_text()
    inbox = tmp_path / "srv" / "batchd" / "inbox"
    assert inbox.stat().st_mode & 0o7777 == 0o2770


@pytest.mark.parametrize("name", ["shared-group.conf", "credentials.conf"])
def test_drop_ins_are_accepted(
    analyze: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "batchd.service.d"
    folder.mkdir()
    (folder / name).write_text((FOLDER / "examples" / name).read_text())
    done = analyze("verify", "--man=no")
    assert [line for line in done.stderr.splitlines() if "batchd" in line] == []
