"""The configuration that `batchd init` writes."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import batchd
from batchd.config.load import Config, RootTable, load
from batchd.config.provider_table import PriceTable, ProviderTable
from batchd.config.tables import BudgetTable, FolderNames, Intake, RouteTable, WorkersTable
from batchd.domain.routing import route_for
from batchd.plugin.catalogue import Catalogue

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "config.toml").read_text()


def uncommented() -> dict[str, Any]:
    """With every setting in it that is shown in a comment: `# key = value` and `# [table]`."""
    return tomllib.loads(re.sub(r"^# (?=[a-z_]+ = |\[)", "", TEXT, flags=re.MULTILINE))


@pytest.fixture
def config(tmp_path: Path, catalogue: Catalogue) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    return load(path, catalogue)


def test_it_is_accepted_without_a_warning(config: Config) -> None:
    assert config.warnings == ()
    assert [route.name for route in config.routes] == ["reviews"]


def test_it_is_accepted_with_the_built_in_plugins(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    config = load(path, Catalogue.load())
    assert config.routes[0].prompt.settings["columns"] == ["sentiment", "punctuality", "quality"]


def test_with_every_comment_made_a_setting_it_is_accepted_too(tmp_path: Path, catalogue: Catalogue) -> None:
    import tomli_w

    path = tmp_path / "config.toml"
    path.write_text(tomli_w.dumps(uncommented()))
    (tmp_path / "plugins.d").mkdir()
    config = load(path, catalogue)
    assert config.warnings == ()
    assert config.providers["holysheep"].prices
    assert set(config.sinks) == {"lines", "same"}
    assert config.observers["notes"].kinds() >= {"JobFinished", "JobFailed", "JobHeld"}


def test_every_setting_is_in_it() -> None:
    data = uncommented()
    provider, route = data["providers"]["holysheep"], data["routes"]["reviews"]
    assert set(data) == set(RootTable.model_fields) - {"commands"}
    assert set(data["folders"]) == set(FolderNames.model_fields)
    assert set(data["intake"]) == set(Intake.model_fields)
    assert set(data["workers"]) == WorkersTable.own_keys()
    assert set(data["budget"]) == set(BudgetTable.model_fields)
    assert set(provider) - {"base_url", "api_key"} == ProviderTable.own_keys() - {"budget"}
    # They need a second provider or route, a folder, or a prompt without words of its own.
    others = {"fallback", "fallback_model", "fallback_after", "files", "questions", "then"}
    assert set(route) == set(RouteTable.model_fields) - {"budget"} - others
    assert set(provider["prices"]["deepseek-v3.2"]) <= set(PriceTable.model_fields)


def test_what_it_says_are_the_defaults_are_the_defaults(config: Config, tmp_path: Path) -> None:
    assert config.intake == Intake()
    assert FolderNames.model_validate(tomllib.loads(TEXT)["folders"]) == FolderNames()
    provider = config.providers["holysheep"]
    defaults = type(provider)(plugin="openai")
    assert provider == defaults.model_copy(update={"settings": provider.settings})
    route = uncommented()["routes"]["reviews"]
    written = RouteTable.model_validate(
        {**route, "provider": "x", "model": "y", "params": {}, "prompt": {}, "reuse": "off", "sinks": ["csv"]}
    )
    plain = RouteTable.model_validate({"provider": "x", "model": "y", "prompt": {}})
    optional = ("match", "formats", "reader", "group", "mode", "finish_within", "send_between")
    assert written.model_copy(update=dict.fromkeys(optional)) == plain


def test_the_sample_drop_is_taken(config: Config) -> None:
    for name in ("reviews/may.csv", "reviews/2026/may.csv", "my-review-1.csv", "team/my-review-1.csv"):
        assert route_for(name, config.routes) is config.routes[0]
    assert route_for("other/may.csv", config.routes) is None


def test_no_price_is_asserted() -> None:
    assert "prices" not in tomllib.loads(TEXT)["providers"]["holysheep"]


def test_it_fits_on_a_screen_s_width() -> None:
    assert [line for line in TEXT.splitlines() if len(line) > 120] == []


def test_it_is_shipped_inside_the_package() -> None:
    assert (resources.files(batchd) / "config.toml").read_text() == TEXT


def test_the_package_s_copy_is_a_link_that_survives_a_checkout_elsewhere() -> None:
    link = ROOT / "daemon" / "batchd" / "config.toml"
    assert link.is_symlink()
    assert str(link.readlink()) == "../../config.toml"
