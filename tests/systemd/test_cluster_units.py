"""The units of a cluster: systemd takes them, and Dask knows the options that they start it with."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = ("batchd-scheduler.service", "batchd-node.service")


def start_of(name: str) -> str:
    found = re.search(r"^ExecStart=(.+)$", (FOLDER / name).read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", UNITS)
def test_the_unit_is_clean(name: str, tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / name
    # It wants the program to be there, and that is not what is tested.
    unit.write_text((FOLDER / name).read_text().replace("/opt/batchd/bin/dask", "/bin/true"))
    done = subprocess.run([tool, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if name in line] == []
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_dask_knows_the_options() -> None:
    for name in UNITS:
        command = start_of(name).split()[1]
        dask = Path(sys.executable).with_name("dask")
        said = subprocess.run([dask, command, "--help"], capture_output=True, text=True, check=True).stdout
        wanted = re.findall(r"--[a-z-]+", start_of(name))
        missing = [option for option in wanted if option not in said and option.replace("--no-", "--") not in said]
        assert not missing, f"{name}: {missing}"


def test_both_read_the_addresses_that_the_page_names() -> None:
    page = (FOLDER.parent / "docs" / "cluster.md").read_text()
    used = {name for unit in UNITS for name in re.findall(r"\$\{(\w+)\}", start_of(unit))}
    assert used == set(re.findall(r"^([A-Z_]+)=\S+$", page, re.MULTILINE))
