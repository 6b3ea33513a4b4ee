"""The layers: which folder may import which."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of pyproject.toml, asked of the source in `folder`."""
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder / 'daemon'}:{folder / 'plugins'}", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def copied(folder: Path) -> Path:
    """The source, to break something in."""
    for name in ("daemon", "plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.slow
def test_the_layers_are_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


@pytest.mark.slow
def test_what_breaks_them_is_noticed(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    with (copy / "daemon" / "batchd" / "sending" / "backoff.py").open("a") as file:
        file.write("\nimport time as time\n\nfrom ..engine.looks import look as look\n")
    with (copy / "plugins" / "batchd_files" / "__init__.py").open("a") as file:
        file.write("\nfrom batchd.domain import rows as rows\n")
    done = lint(copy)
    assert done.returncode == 1
    # The order of the layers and of the engine, the purity of what decides, and the front door.
    assert f"Contracts: {len(CONTRACTS) - 4} kept, 4 broken." in done.stdout


def test_every_module_is_in_a_layer() -> None:
    # A module that is in no layer may import whatever it likes.
    layers = {each for contract in CONTRACTS for layer in contract.get("layers", []) for each in layer.split(" | ")}
    modules = {
        f"batchd.{path.stem}"
        for path in (ROOT / "daemon" / "batchd").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    # The test kit stands beside them, under a contract of its own.
    assert modules - {"batchd.testing"} == {layer for layer in layers if layer.count(".") == 1}
