"""What the pages show is so: links lead somewhere, code is that of the examples, configurations are accepted."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import batchd
from batchd import hookspecs
from batchd.app.load import load
from batchd.cli.main import batchd as command_line
from batchd.plugin.catalogue import Role
from batchd.testing import conformance
from batchd.testing.conformance.plugin import PluginConformance

from ..durability.rig import shared_nursery
from .pages import DOCS, PAGES, ROOT, Block, blocks, code, headings, prose, tables

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_INCLUDED = re.compile(r"^<!-- (examples/\S+) -->\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The headings as GitHub links to them."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page))
    return set(kept)


# --- links -------------------------------------------------------------------------------------------------------


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for match in _LINK.finditer(prose(page)):
            yield name(page), match[1]


def test_every_link_leads_somewhere() -> None:
    faults = []
    for page, link in sorted(set(links())):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if re.match(r"https?://", link):
            continue
        if not target.exists():
            faults.append(f"{page} links to {link}, which is not there")
        elif anchor and anchor not in anchors(target):
            faults.append(f"{page} links to {link}, and there is no such heading")
    assert not faults, "\n".join(faults)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, open_ = set(), [ROOT / "README.md"]
    while open_:
        page = open_.pop()
        reached.add(page)
        found = {(page.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(prose(page))}
        open_ += [each for each in found if each.suffix == ".md" and each not in reached]
    assert set(PAGES) <= reached


# --- code --------------------------------------------------------------------------------------------------------


def included() -> Iterator[tuple[str, str, str]]:
    for page in PAGES:
        for match in _INCLUDED.finditer(page.read_text("utf-8")):
            yield name(page), match[1], match[3]


def test_code_on_a_page_is_that_of_the_example() -> None:
    faults = [
        f"{page} shows an older {path}; copy it there again"
        for page, path, text in included()
        if text != (ROOT / path).read_text("utf-8")
    ]
    assert not faults, "\n".join(faults)


def test_every_block_of_python_is_included() -> None:
    for page in PAGES:
        shown = [text for where, _, text in included() if where == name(page)]
        assert [block.text for block in blocks(page, "python") if block.text not in shown] == []


def test_a_provider_a_prompt_builder_and_a_sink_are_shown() -> None:
    shown = {path for _, path, _ in included()}
    assert {f"examples/plugins/{plugin}.py" for plugin in ("echo", "language", "markdown")} <= shown


def test_every_example_is_mentioned() -> None:
    text = (DOCS / "plugins.md").read_text("utf-8")
    assert "(../examples/plugins)" in text
    assert "(../examples/package)" in text


# --- configurations ----------------------------------------------------------------------------------------------

HEAD: dict[str, Any] = {
    "providers": {"holysheep": {"plugin": "openai", "base_url": "https://x.test/v1", "api_key": "env:K"}},
    "routes": {
        "reviews": {
            "provider": "holysheep",
            "model": "m",
            "prompt": {"plugin": "template", "user": "Review: {{ review }}"},
        }
    },
}


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, table by table; a table that names another plugin replaces the one below."""
    if above.get("plugin", below.get("plugin")) != below.get("plugin"):
        return above
    both = {**below, **above}
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            both[key] = merged(below[key], value)
    return both


def snippets() -> Iterator[Any]:
    for page in PAGES:
        for block in blocks(page, "toml"):
            if not block.text.startswith("[build-system]"):
                yield pytest.param(block, id=f"{name(page)}:{block.line}")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a config goes to its folder; this comes back."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder for a config, with the examples as its plugins."""
    shutil.copytree(ROOT / "examples" / "plugins", tmp_path / "plugins.d", ignore=shutil.ignore_patterns("__pycache__"))
    for module in ("package/batchd_translate.py", "objects/batchd_objects.py"):
        shutil.copy(ROOT / "examples" / module, tmp_path / "plugins.d")
    return tmp_path


@pytest.mark.parametrize("block", list(snippets()))
def test_a_configuration_on_a_page_is_accepted(plugins: Path, block: Block) -> None:
    import tomli_w

    data = merged({"plugin_dir": "plugins.d", **HEAD}, tomllib.loads(block.text))
    file = plugins / "config.toml"
    file.write_text(tomli_w.dumps(data), "utf-8")
    loaded, _ = load(file)
    assert loaded.warnings == ()


def test_the_services_of_the_example_are_accepted() -> None:
    loaded, _ = load(ROOT / "examples" / "services.toml")
    assert loaded.warnings == ()
    assert {route.provider for route in loaded.routes} == set(loaded.providers)


def test_no_key_stands_in_the_example_of_services() -> None:
    data = tomllib.loads((ROOT / "examples" / "services.toml").read_text("utf-8"))
    assert [table for table in data["providers"].values() if "api_key" in table or "service" not in table] == []


@pytest.mark.slow(seconds=5)
def test_the_configuration_to_run_runs(plugins: Path) -> None:
    match = re.search(
        r"<!-- run -->\n```toml\n(.*?)^```$", (DOCS / "plugins.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert match is not None
    (plugins / "config.toml").write_text(match[1].replace("[providers", '[intake]\nsettle = "100ms"\n\n[providers', 1))
    (plugins / "may.txt").write_text("Good morning.\n")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = shared_nursery().run(arguments, folder=plugins, environment=os.environ, timeout=60)
        assert done.returncode == 0, done.stderr
        return done

    run("init")
    run("once", "--workers", "1", "may.txt")
    with (plugins / "outbox" / "may.results.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"text": "Good morning.", "answer": "Good morning.", "status": "ok", "error": ""}
        ]
    assert "| Good morning. | Good morning. | ok |" in (plugins / "outbox" / "may.results.md").read_text()
    assert run("tally", "outbox/may.results.csv").stdout == "ok: 1\n"
    assert "Finished may.txt: 1 ok." in (plugins / "finished.txt").read_text()


@pytest.mark.slow
def test_the_package_of_the_example_passes_its_own_tests(tmp_path: Path) -> None:
    package = ROOT / "examples" / "package"
    shutil.copytree(package, tmp_path / "package", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"],
        cwd=tmp_path / "package",
        env={**os.environ, "PYTHONPATH": ":".join([str(tmp_path / "package"), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b1\d passed", done.stdout)


def test_the_package_of_the_example_has_an_entry_point_that_leads_to_its_hooks() -> None:
    package = ROOT / "examples" / "package"
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))
    [(_, module)] = project["project"]["entry-points"]["batchd"].items()
    assert project["project"]["name"] == module.replace("_", "-")
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == [f"{module}.py"]
    assert (package / f"{module}.py").exists()


# --- commands ----------------------------------------------------------------------------------------------------


def calls(text: str) -> Iterator[list[str]]:
    """The calls of batchd in lines of a shell, as their arguments."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.whitespace_split = " \t", True
    command: list[str] = []
    for token in [*lexer, "\n"]:
        if set(token) <= set("();<>|&\n"):
            # In the middle only behind a program that starts it, such as systemd-run.
            starts = [
                at for at, word in enumerate(command) if word == "batchd" and command[at + 1 :][:1] == ["--config"]
            ]
            if command[:1] == ["batchd"] or starts:
                yield command[(starts or [0])[0] + 1 :]
            command = []
        else:
            command.append(token)


def shown_commands() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in blocks(page, "sh"):
            for arguments in calls(block.text):
                yield name(page), arguments


def test_every_command_on_a_page_is_understood() -> None:
    faults = []
    for page, arguments in shown_commands():
        for each in arguments:
            if each.endswith(".csv"):
                Path(each).touch()  # click looks whether a file that is named is there
        try:
            _understood(command_line, arguments)
        except click.UsageError as error:
            faults.append(f"{page} shows batchd {' '.join(arguments)}: {error.format_message()}")
    assert not faults, "\n".join(faults)


def _understood(command: click.Command, arguments: list[str], parent: click.Context | None = None) -> None:
    """UsageError if the command line would not take them. Nothing is run."""
    try:
        context = command.make_context(command.name, list(arguments), parent=parent)
    except click.exceptions.Exit:
        return  # --version and --help
    if isinstance(command, click.Group):
        rest = [*getattr(context, "_protected_args", []), *context.args]
        _, inner, left = command.resolve_command(context, rest)
        assert inner is not None
        _understood(inner, left, context)


def test_a_call_with_what_is_not_known_is_not_understood() -> None:
    for wrong in (["chekc"], ["once", "--rote", "x"], ["status", "a", "b"], ["config", "put", "a"]):
        with pytest.raises(click.UsageError):
            _understood(command_line, wrong)


def mentioned() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for text in re.findall(r"`batchd ([a-z][^`]*)`", prose(page)):
            yield name(page), text


def test_every_command_that_is_mentioned_exists() -> None:
    context = command_line.make_context("batchd", ["status"])
    faults = []
    for page, text in sorted(set(mentioned())):
        words = text.replace("config get/set", "config get").split()
        if words[0] in {"tally", "late"}:
            continue  # those of examples
        command = command_line.get_command(context, words[0])
        if isinstance(command, click.Group) and len(words) > 1:
            inner = command.get_command(context, words[1])
        else:
            inner = command
        options = {option for each in command.params for option in each.opts} if command else set()
        unknown = {word for word in words if word.startswith("--")} - options - {"--help", "--json"}
        if inner is None or unknown:
            faults.append(f"{page} mentions batchd {text}")
    assert not faults, "\n".join(faults)


# --- plugins.md ---------------------------------------------------------------------------------------------------

PLUGINS_TABLES = tables(DOCS / "plugins.md")


def test_every_hook_is_described() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    assert {code(row[0]) for row in PLUGINS_TABLES["The hooks"]} == hooks


def test_each_hook_is_described_with_what_its_contract_has() -> None:
    rows = PLUGINS_TABLES["The hooks"]
    assert len(rows) == 8
    for _, registers, must, may, _ in rows:
        contract = getattr(batchd, registers.partition("`")[2].partition("`")[0], None)
        if contract is None:
            continue
        abstract = contract.__abstractmethods__
        own = {name for name in vars(contract) if not name.startswith("_")} - abstract
        assert set(re.findall(r"`(\w+)`", must)) == abstract
        assert set(re.findall(r"`(\w+)`", may)) == own


def test_every_name_of_the_front_door_is_described() -> None:
    names = [name for row in PLUGINS_TABLES["What `batchd` exports"] for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(names) == sorted(batchd.__all__)


def test_every_class_of_the_kit_and_all_that_an_author_may_write_is_described() -> None:
    text = "".join(page.read_text("utf-8") for page in sorted((DOCS / "plugins").glob("*.md")))
    told = set(re.findall(r"`(?:self\.)?(\w+)", text))
    kits = {each: getattr(conformance, each) for each in conformance.__all__}
    names = {name for kit in kits.values() if isinstance(kit, type) for name in vars(kit)} | kits.keys()
    names |= {name for name in vars(PluginConformance) if name != "teardown_method"}
    assert {name for name in names if not name.startswith(("_", "test_"))} - told == set()


def test_each_page_of_a_role_has_all_that_its_contracts_have() -> None:
    contracts: dict[str, tuple[type, ...]] = {
        "reader": (batchd.Reader,),
        "prompt": (batchd.PromptBuilder,),
        "provider": (batchd.BatchProvider, batchd.LiveProvider),
        "sink": (batchd.Sink, batchd.PagedSink, batchd.FileSink),
        "observer": (batchd.Observer,),
        "executor": (batchd.Executor,),
        "command": (batchd.Installation,),
    }
    faults = []
    for page, classes in contracts.items():
        told = set(re.findall(r"`(?:\w+\.)*(\w+)", (DOCS / "plugins" / f"{page}.md").read_text("utf-8")))
        names = {name for each in classes for name in vars(each) if not name.startswith("_")} - {"find_other"}
        faults += [f"docs/plugins/{page}.md does not tell of {name}" for name in sorted(names - told)]
    assert not faults, "\n".join(faults)


def test_every_role_has_a_page() -> None:
    named = {link for link in _LINK.findall(prose(DOCS / "plugins.md")) if link.startswith("plugins/")}
    assert {f"plugins/{page.name}" for page in (DOCS / "plugins").glob("*.md")} == named
    assert len(named) == len(Role)  # services have none, the kit has one


def test_every_error_that_a_plugin_may_raise_is_described() -> None:
    from batchd.errors import BatchdError, ConfigError, PluginError, ProviderError, StateError

    def below(kind: type[BatchdError]) -> set[type[BatchdError]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__() if each.__module__ == "batchd.errors"))

    ours = below(ConfigError) | below(PluginError) | below(StateError) | {BatchdError, ProviderError}
    assert {code(row[0]) for row in PLUGINS_TABLES["What to raise"]} == {
        kind.__name__ for kind in below(BatchdError) - ours
    }
