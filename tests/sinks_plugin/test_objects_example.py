"""The package in examples/objects passes its own tests: in folders, and against a real server with S3's calls."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "examples" / "objects"
MOTO = Path(__file__).parents[2] / ".servers" / "bin" / "moto_server"


def run_its_tests(folder: Path, *options: str, **environment: str) -> str:
    """What pytest says of the package's tests, elsewhere than in this repository."""
    package = shutil.copytree(PACKAGE, folder / "objects", ignore=shutil.ignore_patterns("__pycache__"))
    path = ":".join([str(package), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error", *options],
        cwd=package,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """A server with S3's calls and a bucket `results`; its address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen([str(MOTO), "-p", str(port)], stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert process.poll() is None, (folder / "moto.log").read_text()[-2_000:]
            try:
                urllib.request.urlopen(urllib.request.Request(f"{url}/results", method="PUT"), timeout=10).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_a_job_is_one_object_in_a_folder(tmp_path: Path) -> None:
    assert "1 skipped" in run_its_tests(tmp_path)


@pytest.mark.slow
@pytest.mark.outside
@pytest.mark.field("results")
def test_a_job_is_one_object_in_s3(tmp_path: Path) -> None:
    if not MOTO.exists():
        pytest.skip("needs the servers that `make servers` installs")
    with moto(tmp_path) as url:
        assert "1 passed" in run_its_tests(tmp_path, "-k", "s3", S3_ENDPOINT=url)


def test_the_package_has_an_entry_point_that_leads_to_its_hooks() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))
    [(_, module)] = project["project"]["entry-points"]["batchd"].items()
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == [f"{module}.py"]
    assert (PACKAGE / f"{module}.py").exists()
