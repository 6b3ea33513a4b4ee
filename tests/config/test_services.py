"""`service = "NAME"`: what is known of a service, and the operator's own keys before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchd.config.load import Config, load, provider_limits
from batchd.config.service_table import service_named
from batchd.contracts import Limits
from batchd.errors import ConfigError, PluginError
from batchd.plugin.catalogue import Catalogue

pytestmark = pytest.mark.field("services")

Write = Callable[[str], Path]
ROUTE = """
[routes.reviews]
provider = "mine"
model = "small"
prompt = { plugin = "template", user = "Review: {{ review }}" }
"""


@pytest.fixture
def read(write: Write, catalogue: Catalogue) -> Callable[[str], Config]:
    return lambda provider: load(write(f"[providers.mine]\n{provider}\n{ROUTE}"), catalogue)


def settings(config: Config) -> dict[str, Any]:
    return dict(config.providers["mine"].settings)


def test_the_service_brings_its_plugin_and_its_keys(read: Callable[[str], Config]) -> None:
    config = read('service = "known"')
    table = config.providers["mine"]
    assert (table.service, table.plugin, table.poll) == ("known", "openai", 60.0)
    assert (str(table.batch_discount), settings(config)["base_url"]) == ("0.5", "https://known.example/v1")


def test_each_key_that_is_written_wins(read: Callable[[str], Config]) -> None:
    config = read(
        'service = "known"\nbase_url = "https://other.example/v1"\npoll = "5s"\nheaders = { X-Team = "env:B" }'
    )
    assert config.providers["mine"].poll == 5.0
    assert settings(config)["base_url"] == "https://other.example/v1"
    assert settings(config)["api_key"] == "env:KNOWN_KEY"
    # In a table within the table too, key by key.
    assert settings(config)["headers"] == {"X-Team": "env:B", "X-Room": "env:ROOM"}


def test_the_lower_limit_applies_unless_the_operator_sets_one(read: Callable[[str], Config]) -> None:
    offered = Limits()
    table = read('service = "known"').providers["mine"]
    # The service takes more bytes than the plugin sends, and fewer requests than batchd would pack.
    assert (table.limits(offered).max_requests, table.limits(offered).max_bytes) == (5_000, offered.max_bytes)
    assert table.packing(offered).max_requests == 5_000
    assert table.limits(offered).max_line_bytes == offered.max_line_bytes
    higher = read('service = "known"\nmax_requests = 6_000').providers["mine"]
    assert higher.packing(offered).max_requests == 6_000


def test_a_service_with_high_limits_makes_no_larger_batches(write: Write, catalogue: Catalogue) -> None:
    config = load(
        write(f'[providers.mine]\nservice = "holysheep"\nbase_url = "https://x.test"\napi_key = "env:K"\n{ROUTE}'),
        catalogue,
    )
    assert config.providers["mine"].packing(Limits()).max_requests == 10_000


def test_a_file_of_requests_is_held_to_the_limits_of_the_service(write: Write, plugin_dir: Path) -> None:
    config = write(
        f'plugin_dir = "{plugin_dir}"\n[plugins]\ndisabled = ["batchd"]\n[providers.mine]\nservice = "known"\n{ROUTE}'
    )
    assert provider_limits(config, "mine", Catalogue.load(plugin_dir, ["batchd"], tolerant=True)).max_requests == 5_000
    config.write_text(config.read_text().replace('"known"', '"knwon"'))
    with pytest.raises(ConfigError, match='did you mean "known"'):
        provider_limits(config, "mine", Catalogue.load(plugin_dir, ["batchd"], tolerant=True))


def test_what_only_the_operator_knows_must_be_written(read: Callable[[str], Config]) -> None:
    with pytest.raises(ConfigError, match=r'base_url: is missing: only you know yours, such as "https://YOURS'):
        read('service = "own"')
    assert read('service = "own"\nbase_url = "https://ours.example/v1"').providers["mine"].plugin == "openai"


def test_a_wrong_name_is_one_fault_and_says_the_nearest(read: Callable[[str], Config], catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError) as wrong:
        read('service = "knwon"')
    [line] = str(wrong.value).splitlines()
    assert line.endswith('[providers.mine] service: there is no service "knwon"; did you mean "known"?')
    with pytest.raises(ConfigError, match='did you mean "known"'):
        service_named(catalogue, "knwon")
    with pytest.raises(ConfigError, match="service: should be text"):
        read("service = 3")


def test_a_plugin_that_is_a_service_says_which_key_is_meant(write: Write, catalogue: Catalogue) -> None:
    with pytest.raises(
        ConfigError, match='there is no plugin "known", but a service of that name; write service = "kn'
    ):
        load(write(f"[providers.known]\n{ROUTE.replace('mine', 'known')}"), catalogue)


def test_a_wrong_table_is_its_plugin_s_fault(read: Callable[[str], Config], catalogue: Catalogue) -> None:
    with pytest.raises(PluginError, match='table of the service "faulty" is wrong: adress: there is no such key'):
        read('service = "faulty"')
    with pytest.raises(PluginError, match="adress"):
        service_named(catalogue, "faulty")
