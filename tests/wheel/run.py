"""Builds the wheel, installs it into an environment of its own, and tests it there with the source out of the way.

An editable install works although a file or a whole plugin is missing from the wheel. So: the wheel alone in a new
environment, the dependencies of this one beside it (all but batchd itself), a copy of the tests in a temporary
folder, and nothing of the repository on any path.

    python tests/wheel/run.py [--keep] [--wheel FILE] [ARGUMENT OF PYTEST…]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TESTS = (
    "front_door/test_front_door.py",  # what plugins import, in fresh processes too
    "config/test_config_default.py",  # a file that is no module
    "plugin/test_plugin_catalogue.py",  # entry points
    "money/test_price_list.py",  # prices that another package carries
    "workers/test_workers.py::test_what_is_imported_ahead_is_there",  # processes that import by name
    "cli/test_running.py::test_init_writes_the_packaged_config_and_the_folders",
    "end_to_end/test_main_job.py::test_a_dropped_file_comes_back_with_its_answers",
)
"""What is run again: each way in which the installed package could differ from the source. `check_content` has shown that
the files are the same, and `check_source_is_gone` that each module can be imported, so the other tests would find what they
found before."""
BESIDE = ("pyproject.toml", "config.toml", "docs", "examples")
"""What the tests compare the installed package with. None of it is code of batchd."""
LEFT_OUT = (
    "tests/config/test_config_default.py::test_the_package_s_copy_is_a_link_that_survives_a_checkout_elsewhere",
)
"""What is about the repository."""
PACKAGES = ("batchd", *sorted(path.name for path in (ROOT / "plugins").glob("batchd_*")))

LOOK = """
import importlib, json, pkgutil, sys
from importlib import metadata
for name in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
print(json.dumps({
    "files": {name: importlib.import_module(name).__file__ for name in sys.argv[1:]},
    "points": sorted(point.value for point in metadata.entry_points(group="batchd")),
    "distributions": [str(each.locate_file("")) for each in metadata.distributions(name="batchd")],
    "path": sys.path,
}))
"""


def main() -> int:
    """The exit status: that of pytest, or 1 if the wheel is wrong before that."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder for a look")
    parser.add_argument("--wheel", type=Path, help="test this one, and build none")
    parser.add_argument(
        "--installers", action="store_true", help="only install it by uv, pipx and pip, from a registry"
    )
    options, rest = parser.parse_known_args()
    folder = Path(tempfile.mkdtemp(prefix="batchd-wheel-"))
    try:
        wheel = options.wheel.resolve() if options.wheel else build(folder / "dist")
        check_content(wheel)
        if options.installers:
            check_installers(wheel, folder)
            return 0
        python = install(wheel, folder)
        environment = surroundings(python)
        check_source_is_gone(python, folder, environment)
        check_demo(python, folder, environment)
        return test(python, folder, environment, rest)
    except WrongWheel as error:
        say(f"FAILED: {error}")
        return 1
    finally:
        if options.keep:
            say(f"left in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


class WrongWheel(Exception):
    """The wheel, or the place that it is tested in, is not as it should be."""


def say(text: str) -> None:
    """Print what is done."""
    print(f"wheel: {text}", flush=True)


def do(command: Sequence[str], **options: Any) -> str:
    """Run a command to its end; what it printed. WrongWheel with all of it if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise WrongWheel(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(target: Path) -> Path:
    """The wheel, built without network where the build backend is installed."""
    uv = shutil.which("uv")
    if importlib.util.find_spec("hatchling") is not None:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    elif uv is not None:
        command = [uv, "build", "--quiet", "--wheel", "--out-dir", str(target), str(ROOT)]
    else:
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(target), str(ROOT)]
    do(command)
    [wheel] = target.glob("*.whl")
    say(f"built {wheel.name}")
    return wheel


def check_content(wheel: Path) -> None:
    """Every file of the packages is in it, as it is, and nothing else but its metadata."""
    sources = {"batchd": ROOT / "daemon"} | dict.fromkeys(PACKAGES[1:], ROOT / "plugins")
    wanted = {
        str(path.relative_to(source)): path.read_bytes()
        for name, source in sources.items()
        for path in (source / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        there = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    missing, surplus = sorted(wanted.keys() - there.keys()), sorted(there.keys() - wanted.keys())
    other = sorted(name for name in wanted.keys() & there.keys() if wanted[name] != there[name])
    if missing or surplus or other:
        raise WrongWheel(f"missing: {missing}; not of batchd: {surplus}; with another content: {other}")
    say(f"it holds all {len(wanted)} files of {', '.join(PACKAGES)}")


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel, and the dependencies of this one; its Python."""
    place = folder / "environment"
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    else:
        command = [shutil.which("uv") or "uv", "pip", "install", "--quiet", "--no-deps", "--python", str(python)]
    do([*command, "--no-index", str(wheel)])
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    for packages in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(packages).iterdir():
            # Neither batchd itself, in whatever way it is installed, nor the .pth files that lead to its source.
            ours = entry.name.removeprefix("__editable__.").removeprefix("_editable_impl_").startswith("batchd")
            if not ours and entry.suffix != ".pth" and entry.name != "__pycache__":
                (dependencies / entry.name).symlink_to(entry)
    [packages_of_new] = (place / "lib").glob("python*/site-packages")
    (packages_of_new / "dependencies.pth").write_text(f"{dependencies}\n")
    return python


def surroundings(python: Path) -> dict[str, str]:
    """The environment of all that is run: the new one's commands come first, and no path leads elsewhere."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment


def check_source_is_gone(python: Path, folder: Path, environment: dict[str, str]) -> None:
    """Every module can be imported, it is the wheel's, once, and the plugins are found."""
    seen = json.loads(do([str(python), "-c", LOOK, *PACKAGES], cwd=folder, env=environment))
    strangers = {name: file for name, file in seen["files"].items() if not Path(file).is_relative_to(folder)}
    if strangers or any(Path(entry).is_relative_to(ROOT) for entry in seen["path"] if entry):
        raise WrongWheel(f"the source is still in the way: {strangers or seen['path']}")
    if len(seen["distributions"]) != 1 or not Path(seen["distributions"][0]).is_relative_to(folder):
        raise WrongWheel(f"there should be one batchd, the wheel's: {seen['distributions']}")
    if seen["points"] != list(PACKAGES[1:]):
        raise WrongWheel(f"its entry points are {seen['points']}")
    say("it is installed, and the source is out of the way")


def check_installers(wheel: Path, folder: Path) -> None:
    """The ways in which people install it, each with its dependencies from a registry."""
    for name in ("tools", "pip"):
        venv.create(folder / name, symlinks=True, with_pip=True)
    do([str(folder / "tools/bin/pip"), "install", "--quiet", "uv", "pipx"])
    places = {name: str(folder / name) for name in ("uv-tools", "uv-bin", "pipx", "pipx-bin")}
    environment = os.environ | {"UV_TOOL_DIR": places["uv-tools"], "UV_TOOL_BIN_DIR": places["uv-bin"]}
    environment |= {"PIPX_HOME": places["pipx"], "PIPX_BIN_DIR": places["pipx-bin"]}
    for command, installed in (
        (["tools/bin/uv", "tool", "install", "--python", sys.executable], "uv-bin"),
        (["tools/bin/pipx", "install", "--python", sys.executable], "pipx-bin"),
        (["pip/bin/pip", "install", "--quiet"], "pip/bin"),
    ):
        do([str(folder / command[0]), *command[1:], str(wheel)], cwd=folder, env=environment)
        do([str(folder / installed / "batchd"), "--version"], cwd=folder)
        do([str(folder / installed / "batchd"), "services"], cwd=folder)
        say(f"{Path(command[0]).name} has installed it, and it runs")


def check_demo(python: Path, folder: Path, environment: dict[str, str]) -> None:
    """The command is there, and does the main job."""
    said = do([str(python.with_name("batchd")), "demo", str(folder / "demo")], cwd=folder, env=environment)
    if not list((folder / "demo" / "outbox").rglob("*.report.json")):
        raise WrongWheel(f"batchd demo left nothing in its outbox:\n{said}")
    say("batchd demo works")


def test(python: Path, folder: Path, environment: dict[str, str], rest: Sequence[str]) -> int:
    """Run the copied tests; pytest's exit status."""
    place = folder / "place"
    ignored = shutil.ignore_patterns("__pycache__", ".hypothesis", "wheel")
    shutil.copytree(ROOT / "tests", place / "tests", ignore=ignored)
    for name in BESIDE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name)
        else:
            shutil.copy(source, place / name)
    say(f"testing it with {', '.join(TESTS)}")
    # In one process: a second one would import it all again, beside the tests of the source.
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [argument for left_out in LEFT_OUT for argument in ("--deselect", left_out)]
    chosen = [f"tests/{name}" for name in TESTS]
    return subprocess.run([*command, *rest, *chosen], cwd=place, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
