"""The package for Debian: its form, and its scripts under a real systemd. `make deb-test` runs the whole program in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from batchd.config.load import load
from batchd.plugin.catalogue import Catalogue

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "packaging").exists(), reason="the packaging is not beside these tests"),
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not here"),
]


def built(target: Path, version: str) -> Path:
    script = str(ROOT / "packaging" / "deb.py")
    command = [sys.executable, script, "--without-packages", "--target", str(target), "--version", version]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def test_the_package_has_its_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = built(tmp_path, "1.0-1")
    said = subprocess.run(["dpkg-deb", "-I", package], check=True, capture_output=True, text=True).stdout
    python = subprocess.run(["/usr/bin/python3", "--version"], check=True, capture_output=True, text=True).stdout
    assert f"Depends: python{'.'.join(python.split()[1].split('.')[:2])}, systemd (>= 247)" in said
    subprocess.run(["dpkg-deb", "-R", package, tmp_path / "root"], check=True)
    for name in ("postinst", "prerm", "postrm"):
        script = tmp_path / "root" / "DEBIAN" / name
        subprocess.run(["sh", "-n", script], check=True)
        assert script.stat().st_mode & 0o777 == 0o755
    assert os.readlink(tmp_path / "root/usr/bin/batchd") == "../lib/batchd/bin/batchd"
    for unit in ("systemd/system/batchd.service", "sysusers.d/batchd.conf", "tmpfiles.d/batchd.conf"):
        assert (tmp_path / "root/usr/lib" / unit).is_file()
    monkeypatch.chdir(tmp_path)
    config = load(tmp_path / "root/usr/share/batchd/config.toml", Catalogue.load())
    assert (config.folders.state, config.folders.inbox) == (Path("/var/lib/batchd"), Path("/srv/batchd/inbox"))
    assert config.plugin_dir == Path("/etc/batchd/plugins.d")


@pytest.mark.third
@pytest.mark.outside
@pytest.mark.skipif(os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists(), reason="needs root and systemd")
def test_it_is_installed_upgraded_and_purged(tmp_path: Path) -> None:
    packages = [str(built(tmp_path, version)) for version in ("1.0-1", "1.1-1")]
    command = ["bash", str(HERE / "systemd_sandbox.sh"), str(HERE / "deb_short.sh"), *packages]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
