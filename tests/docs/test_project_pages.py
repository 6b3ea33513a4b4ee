"""README, architecture, glossary, service and changelog say what is so."""

from __future__ import annotations

import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET

import batchd
from batchd.cli.main import batchd as command_line
from batchd.domain.records import BatchState, JobState
from batchd.plugin.catalogue import Catalogue, Role

from .pages import DECISIONS, DOCS, PAGES, ROOT, blocks, code, headings, prose, tables

GLOSSARY = tables(DOCS / "glossary.md")
ARCHITECTURE = DOCS / "architecture.md"


def test_the_readme_begins_with_the_two_commands() -> None:
    [first, *_] = blocks(ROOT / "README.md", "sh")
    assert first.line <= 5
    assert [line.partition("#")[0].split() for line in first.text.splitlines()] == [["make", "demo"], ["make", "test"]]


def test_the_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) | set(re.findall(r"`make ([a-z-]+)`", text))
    assert {"demo", "test", "lint", "bench", "soak"} <= named <= targets
    assert (ROOT / "bench" / "soak.py").exists()


def test_the_page_of_the_tests_has_every_family_and_every_marker() -> None:
    page = tables(ROOT / "tests" / "README.md")
    told = {name for row in page["Which family holds what"] for name in re.findall(r"`(\w+)`", row[0])}
    assert told == {path.name for path in (ROOT / "tests").iterdir() if list(path.glob("*.py"))}
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    markers = [marker.partition(":")[0].partition("(")[0] for marker in options["markers"]]
    assert [code(row[0]).partition("(")[0] for row in page["Markers"]] == markers
    # The fast tests are those without any of these.
    assert " and ".join(f"not {marker}" for marker in markers[:3]) in (ROOT / "Makefile").read_text("utf-8")


def test_the_number_of_reviews_in_the_demo() -> None:
    import csv

    with (ROOT / "plugins" / "batchd_sandbox" / "reviews.csv").open(newline="", encoding="utf-8") as file:
        rows = sum(1 for _ in csv.DictReader(file))
    assert f"a sample of {rows} reviews" in (ROOT / "README.md").read_text("utf-8")


def test_the_recording_is_a_picture_that_loads_nothing() -> None:
    picture = (DOCS / "demo.svg").read_text("utf-8")
    assert ET.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert set(re.findall(r"https?://[^\s\"')]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert "<script" not in picture
    # A terminal's spaces do not break.
    said = re.sub(r"<[^>]+>", "", picture).replace("&#160;", " ")
    assert "$ batchd demo" in said
    assert "240 ok" in said


def test_the_states_are_in_the_glossary() -> None:
    assert {code(row[0]) for row in GLOSSARY["States of a job"]} == {state.value for state in JobState}
    assert {code(row[0]) for row in GLOSSARY["States of a batch"]} == {state.value for state in BatchState}


def test_no_word_is_in_the_glossary_twice() -> None:
    words = [row[0] for row in GLOSSARY["Glossary"]]
    assert len(words) == len(set(words)) > 20


def test_the_words_of_the_glossary_are_those_of_the_code() -> None:
    package = ROOT / "daemon" / "batchd"
    source = "\n".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    defined = set(re.findall(r"^(?:class|(?:async )?def|    async def|    def) (\w+)", source, re.MULTILINE))
    names = [code(row[2]) for row in GLOSSARY["Glossary"]]
    assert [name for name in names if name not in defined and not (package / name).exists()] == []


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "daemon" / "batchd").rglob("*.py")):
        for name in re.findall(r"^class ([A-Z]\w+)", path.read_text("utf-8"), re.MULTILINE):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_every_place_that_is_named_is_there() -> None:
    paths = sorted(set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|[a-z_]+\.py)`", prose(ARCHITECTURE))))
    places = (ROOT / "daemon" / "batchd", ROOT)
    assert paths
    assert [path for path in paths if not any((place / path).exists() for place in places)] == []


def test_the_layers_are_those_of_the_import_contracts() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    modules = {part.removeprefix("batchd.") for layer in layers for part in layer.split(" | ")} - {"__main__"}
    named = {
        module.rstrip("/").removesuffix(".py")
        for row in tables(ARCHITECTURE)["The layers"]
        for module in re.findall(r"`([\w/.]+)`", row[1])
    }
    assert named == modules


def test_the_version_of_the_changelog_is_the_one_that_is_built() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"To be {batchd.__version__}" in text or f"## [{batchd.__version__}]" in text


def test_the_changelog_names_the_commands_there_are() -> None:
    context = command_line.make_context("batchd", ["status"])
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z-]+)`", text.partition("- Commands ")[2].partition(", with exit")[0]))
    assert named == set(command_line.list_commands(context))


def test_what_the_service_page_installs_is_there() -> None:
    text = (DOCS / "service.md").read_text("utf-8")
    for name in re.findall(r"install -D -m 644 (\S+)", text):
        assert (ROOT / "systemd" / name).exists()
    unit = (ROOT / "systemd" / "batchd.service").read_text("utf-8")
    for path in ("/usr/bin/batchd", "/etc/batchd/config.toml", "/etc/batchd/api_key", "/srv/batchd"):
        assert path in text
        assert path in unit


def test_the_readme_of_the_units_names_each_file_beside_it() -> None:
    folder = ROOT / "systemd"
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"README.md"}
    named = set(re.findall(r"`((?:examples/)?[\w-]+\.\w+)`", (folder / "README.md").read_text("utf-8")))
    assert named == files


def test_the_service_page_has_the_folders_of_the_example() -> None:
    [shown] = [tomllib.loads(block.text) for block in blocks(DOCS / "service.md", "toml")]
    assert shown == tomllib.loads((ROOT / "systemd" / "examples" / "folders.toml").read_text("utf-8"))


def test_each_decision_has_its_page_of_one_form_and_is_in_the_index() -> None:
    pages = sorted(page for page in DECISIONS.glob("*.md") if page.name != "README.md")
    assert len(pages) >= 10
    form = ["Context", "Decision", "Consequences", "Alternatives"]
    assert [page.name for page in pages if headings(page)[1:] != form] == []
    assert [page.name for page in pages if len(page.read_text("utf-8").splitlines()) > 50] == []
    index = {
        match[2]: match[1] for match in re.finditer(r"\[([^\]]+)\]\((\w[\w-]*\.md)\)", prose(DECISIONS / "README.md"))
    }
    assert index == {page.name: headings(page)[0] for page in pages}


def test_the_folders_of_the_contributors_page_are_those_there_are() -> None:
    rows = tables(ROOT / "CONTRIBUTING.md")["Where things live"]
    named = {name for row in rows for name in re.findall(r"`([^`*]+)`", row[0])}
    tracked = subprocess.run(["git", "ls-files", "*/*"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    there = {path.partition("/")[0] for path in tracked.splitlines() if not path.startswith(".")}
    assert {name.partition("/")[0] for name in named} == there
    assert [name for name in named if not (ROOT / name).is_dir()] == []


def test_each_folder_of_the_daemon_is_in_a_layer() -> None:
    folders = {f"`{path.parent.name}/`" for path in (ROOT / "daemon" / "batchd").glob("*/*.py")} - {
        "`events/`",
        "`testing/`",
    }
    layers = " ".join(row[1] for row in tables(ARCHITECTURE)["The layers"])
    assert sorted(folder for folder in folders if folder not in layers) == []


def test_the_page_of_the_built_in_plugins_names_what_each_offers() -> None:
    rows = {code(row[0]): row[1] for row in tables(ROOT / "plugins" / "README.md")["The built-in plugins"]}
    own = [each for each in Catalogue.load().offers if each.where in rows and each.role is not Role.SERVICE]
    assert {each.where for each in own} == set(rows) == {path.name for path in (ROOT / "plugins").glob("batchd_*")}
    assert [each.kind for each in own if f"`{each.kind}`" not in rows[each.where]] == []


def test_the_table_of_the_commands_has_every_one_of_the_page() -> None:
    linked = {
        match for row in tables(DOCS / "commands.md")["Commands"] for match in re.findall(r"\(#([\w-]+)\)", row[1])
    }
    described = {each.replace(" ", "-") for each in headings(DOCS / "commands.md") if re.fullmatch(r"batchd \S+", each)}
    assert linked == described
