"""What `batchd new-plugin` writes passes its own tests, the types and the style, as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchd.cli.main import batchd as command_line
from batchd.cli.new_plugin import ROLES as WORDS
from batchd.plugin.catalogue import Catalogue
from batchd.plugin.installing import Environment, install_line
from batchd.plugin.new_plugin import ROLES, NewPlugin
from tests.cases import share
from tests.docs.test_examples import SHORT_FORM, brought_in_by

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SINGLE = ("provider", "command")
"""Roles of which the single file has tests beside it."""


def written(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(command_line, ["new-plugin", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    record: dict[str, object] = json.loads(done.output)
    return record


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.third
@pytest.mark.slow(seconds=10)
def test_every_role_passes_its_tests_the_types_and_the_style(tmp_path: Path) -> None:
    """One run for a third of the roles, as packages and as single files, which are the same code."""
    roles = share(ROLES)
    for role in roles:
        written(f"own-{role}", "--role", role)
        written(f"one-{role}", "--role", role, "--file")
    sources = [str(path) for path in tmp_path.glob("batchd-*/src")]
    tests = [str(path) for path in tmp_path.glob("batchd-*/tests")]
    examples = [str(path) for path in EXAMPLES.glob("[po]*/*.py") if path.name != "test_objects.py"]
    single = [str(tmp_path / "plugins.d" / f"_test_one_{role}.py") for role in roles if role in SINGLE]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sources, *tests, *filter(None, sys.path)])}
    shown = [str(EXAMPLES / each) for each in ("plugins", "package")]
    mypy = {**environment, "MYPYPATH": os.pathsep.join([*sources, *tests, str(tmp_path / "plugins.d"), *shown])}
    short = [] if os.environ.get("BATCHD_EVERY_CASE") == "1" else ["-k", SHORT_FORM]
    options = ["-q", *short, "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error", "--rootdir", str(tmp_path)]
    style = ["--isolated", "--line-length=120"]
    # What mypy knows of batchd and of what it imports is kept from one run to the next: that is most of its work.
    types = ["--strict", "--no-error-summary", f"--cache-dir={ROOT / '.mypy_cache' / 'new-plugin'}"]
    runs = [
        subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        for command, env in (
            (["-m", "pytest", *options, *tests, *single], environment),
            (["-m", "mypy", *types, *sources, *tests, "plugins.d", *examples], mypy),
            (["-m", "ruff", "check", *style, "--select=E,F,B,UP", "."], environment),
            (["-m", "ruff", "format", *style, "--check", "."], environment),
        )
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0, 0], "\n".join(said)
    assert brought_in_by(*tmp_path.glob("plugins.d/one_*.py")) == []


def test_a_single_file_is_a_plugin_in_the_folder(tmp_path: Path) -> None:
    for role in ROLES:
        written(f"one-{role}", "--role", role, "--file")
    catalogue = Catalogue.load(tmp_path / "plugins.d", tolerant=True)
    assert catalogue.broken == ()
    offered = {offer.kind for offer in catalogue.offers if offer.where.startswith(str(tmp_path))}
    assert offered == {f"one-{role}" for role in ROLES}


def test_the_words_for_roles_are_those_that_can_be_written() -> None:
    assert set(WORDS) == set(ROLES)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    first = written("warehouse", "--role", "sink")
    done = CliRunner().invoke(command_line, ["new-plugin", "warehouse", "--role", "reader"])
    assert done.exit_code == 2
    assert f"{tmp_path / 'batchd-warehouse'} exists already. Nothing was written" in done.output
    assert "--editable" in str(first["install"])
    assert 'folder = "pages"' in str(first["configuration"])


@pytest.mark.usefixtures("real_plugins")
def test_a_name_that_a_plugin_has_already_is_refused(tmp_path: Path) -> None:
    """Two that offer the same sink would both be left out."""
    done = CliRunner().invoke(command_line, ["new-plugin", "csv", "--role", "sink"])
    assert done.exit_code == 2
    assert "offers a sink csv already. Choose another name." in done.output
    assert not list(tmp_path.iterdir())
    assert written("csv", "--role", "observer")  # another role has its own names


def test_a_name_that_is_none_is_refused_in_words() -> None:
    for name in ("Warehouse", "1st", "a b", "class", "a--b", "-a", "ö", ""):
        with pytest.raises(ValueError, match="is no name for a plugin"):
            NewPlugin.named(name, "sink")
    assert NewPlugin.named("batchd-acme-shop", "sink").module == "acme_shop"


def test_the_line_that_installs_is_that_of_the_environment(tmp_path: Path) -> None:
    def line(
        name: str, files: dict[str, str], *, pip: bool = True, writable: bool = True, editable: bool = False
    ) -> str:
        prefix = tmp_path / name
        prefix.mkdir()
        for file, text in files.items():
            (prefix / file).write_text(text)
        here = Environment(prefix, f"/opt/{name}/bin/python", pip, writable, False)
        return install_line(here, "batchd-x", editable=editable)

    receipt = """[tool]
requirements = [{ name = "batchd", extras = ["notify"] }, { name = "batchd-y", specifier = ">=2" },
                { name = "batchd-z", editable = "/src/z" }]
"""
    assert line("a", {}) == "/opt/a/bin/python -m pip install batchd-x"
    assert line("b", {}, writable=False, editable=True) == "sudo /opt/b/bin/python -m pip install --editable batchd-x"
    assert line("c", {}, pip=False) == "uv pip install --python /opt/c/bin/python batchd-x"
    assert line("batchd", {"pipx_metadata.json": "{}"}, editable=True) == "pipx inject --editable batchd batchd-x"
    assert line("e", {"uv-receipt.toml": receipt}) == (
        "uv tool install 'batchd[notify]' --with 'batchd-y>=2' --with-editable /src/z --with batchd-x"
    )
    assert line("f", {"uv-receipt.toml": "no ["}, editable=True) == "uv tool install batchd --with-editable batchd-x"


def test_plugins_says_how_to_install_one_more() -> None:
    done = CliRunner().invoke(command_line, ["plugins"])
    assert f"{install_line(Environment.here(), 'batchd-NAME')}\n" in done.output
    assert "batchd new-plugin" in done.output
