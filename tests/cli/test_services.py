"""`batchd services`, and `batchd init --service`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from batchd.cli.init_service import columns_of, question
from batchd.cli.services import as_markdown
from batchd.config.service_table import all_services
from batchd.plugin.catalogue import Catalogue, Role
from batchd.requests.rules import operation

from .cli_kit import here

pytestmark = pytest.mark.field("services")

DOCS = Path(__file__).parents[2] / "docs"


def test_the_list_says_how_each_is_asked_and_when_that_was_read() -> None:
    lines = here("services").out.splitlines()
    assert lines[0].split() == ["name", "asked", "in", "window", "requests", "file", "discount", "plugin", "read"]
    [groq] = [line.split() for line in lines if line.startswith("groq ")]
    assert groq == ["groq", "batches", "24h", "to", "7d", "50,000", "200", "MB", "half", "price", "openai", groq[-1]]
    assert re.fullmatch(r"2026-\d\d-\d\d", groq[-1])
    assert "batchd init --service NAME" in lines[-1]


def test_one_is_shown_in_full() -> None:
    text = here("services", "azure").out
    assert '[providers.azure]\n  service = "azure"\n  base_url = "https://YOUR-RESOURCE' in text
    assert "100,000 requests in a batch" in text
    assert re.search(r"^Read:\n  2026-11-23: azure-ai-docs .* \(its own page\)$", text, re.MULTILINE)


def test_the_same_for_machines() -> None:
    services = here("services", "--json").json()["services"]
    assert {each["name"] for each in services} == set(Catalogue.load().kinds(Role.SERVICE))
    groq = here("services", "groq", "--json").json()
    assert groq in services
    assert (groq["asked_in"], groq["limits"]["max_requests"]) == ("batches", 50_000)
    assert {each["asked_in"] for each in services} == {"batches", "live calls", "not known"}


def test_a_wrong_name_says_the_nearest() -> None:
    for said in (here("services", "gorq"), here("init", "--service", "gorq", "--model", "m", "--columns", "a")):
        assert (said.status, said.out) == (4, "")
        assert said.err == 'batchd: There is no service "gorq"; did you mean "groq"? `batchd services` lists them.\n'


def test_the_page_has_the_list_of_today() -> None:
    page = (DOCS / "services.md").read_text("utf-8")
    shown = page.partition("<!-- batchd services --markdown -->\n")[2].partition("<!-- end -->")[0]
    assert shown == as_markdown(all_services(Catalogue.load())), "copy it there: batchd services --markdown"
    assert here("services", "--markdown").out == shown


@pytest.mark.slow
def test_a_configuration_for_each_service_passes_the_check(tmp_path: Path) -> None:
    faults = []
    for name, table in all_services(Catalogue.load()).items():
        variable = str(table.provider["api_key"]).removeprefix("env:")
        said = here("init", tmp_path / name, "--service", name, "--model", "m", "--columns", "title,review")
        config = tmp_path / name / "config.toml"
        data = tomllib.loads(config.read_text())
        checked = here("check", "--offline", config=config, **{variable: "sk-0123456789abcdef"})
        if said.status or checked.status or list(data["providers"]) != [name] or "0123456789" in config.read_text():
            faults.append(f"{name}: {said.err}{checked.out}")
        [route] = data["routes"].values()
        assert operation(route.get("endpoint", "/v1/chat/completions")) == operation("/v1/chat/completions")
        assert route["prompt"]["user"] == "title: {{ title }}\nreview: {{ review }}"
    assert not faults, "\n".join(faults)


def test_a_service_that_is_set_already_is_not_to_be_added_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = ("init", "--service", "ollama", "--model", "m", "--columns", "review")
    first = here(*again).out
    assert "set the question ([routes])\n" in first, "the service was named"
    assert 'sinks = ["same"]' in (tmp_path / "config.toml").read_text()
    second = here(*again).out
    assert "It has a provider ollama already." in second
    assert "add this to it" not in second
    assert "[providers.groq]" in here("init", "--service", "groq", "--model", "m", "--columns", "review").out


def test_what_comes_next_names_the_key(tmp_path: Path) -> None:
    said = here("init", "new", "--service", "groq", "--model", "m", "--columns", "review", GROQ_API_KEY="")
    assert "export GROQ_API_KEY=…" in said.out
    assert (tmp_path / "new" / "inbox" / "rows").is_dir()


def test_a_configuration_that_is_there_is_not_touched() -> None:
    here("init")
    before = Path("config.toml").read_bytes()
    said = here("init", "--service", "vllm", "--model", "m", "--columns", "review")
    assert Path("config.toml").read_bytes() == before
    assert "add this to it:" in said.out
    assert '[providers.vllm]\nservice = "vllm"' in said.out


def test_a_server_of_one_s_own_has_its_address_in_the_configuration() -> None:
    here("init", "--service", "ollama", "--model", "m", "--columns", "review")
    provider = tomllib.loads(Path("config.toml").read_text())["providers"]["ollama"]
    assert provider == {"service": "ollama", "base_url": "http://localhost:11434/v1", "api_key": "none"}


def test_what_is_missing_is_said() -> None:
    assert "also needs --model" in here("init", "--service", "groq", "--columns", "a").err
    assert "go with --service" in here("init", "--model", "m").err
    assert "names no column" in here("init", "--service", "groq", "--model", "m", "--columns", " , ").err
    assert not Path("config.toml").exists()


def test_columns_of_any_name() -> None:
    names = columns_of('review, "a, b",Sá,row,{{x}},review')
    assert names == ["review", "a, b", "Sá", "row", "{{x}}"]
    assert question(names).splitlines() == [
        "review: {{ review }}",
        'a, b: {{ row["a, b"] }}',
        'Sá: {{ row["Sá"] }}',
        'row: {{ row["row"] }}',
        '{{ "{{x}}" }}: {{ row["{{x}}"] }}',
    ]
    said = here("init", "--service", "groq", "--model", "a \"b\" 'c'", "--columns", "it's,\"tri'''ple\"")
    assert said.status == 0, said.err
    [route] = tomllib.loads(Path("config.toml").read_text())["routes"].values()
    assert route["model"] == "a \"b\" 'c'"
    assert route["prompt"]["user"] == "it's: {{ row[\"it's\"] }}\ntri'''ple: {{ row[\"tri'''ple\"] }}"
