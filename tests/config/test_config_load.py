"""What a good config becomes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from batchd.config import load as configs
from batchd.config.load import load
from batchd.contracts import Limits
from batchd.domain.routing import PluginSpec, Route
from batchd.errors import ConfigError
from batchd.money.pricing import Price
from batchd.plugin.catalogue import Catalogue
from batchd.values import replace

Write = Callable[[str], Path]

FULL = """
plugin_dir = "plugins.d"

[folders]
inbox = "in"
outbox = "/srv/out"
archive = "../kept"
state = "deep/state"

[intake]
settle = "500ms"
rescan = 15
observer = "polling"
duplicates = "process"
keep_finished = "30d"
ignore = ["*.bak", "old/**"]

[budget]
currency = "EUR"
per_job = 5
per_day = 0.1
per_month = 0
beyond = "wait"
approve_in_folder = true

[providers.acme]
plugin = "openai"
mode = "batch"
base_url = "https://acme.example/v1"
api_key = "credential:acme"
poll = "1m"
create_timeout = "90s"
linger = 0
max_requests = 10_000
max_bytes = 100_000_000
max_line_bytes = 5_000
max_enqueued_tokens = 2_000_000

[providers.acme.prices."gpt-4.1"]
input = 0.42
cached_input = 0.042
output = 2.10
batch_discount = 0.25

[providers.acme.prices.other]
input = 1
output = 3
batch_input = 0.4
batch_output = 1.2
currency = "EUR"

[providers.openai]
base_url = "https://api.example/v1"
api_key = "file:/run/key"

[routes.zebra]
match = ["zebra/**", "*stripe*.csv"]
provider = "acme"
model = "gpt-4.1"
endpoint = "/v1/responses"
sinks = ["warehouse", "csv"]
attempts = 5
part_rows = 500
reuse = "30d"
finish_within = "6h"
max_failed = "5%"

[routes.zebra.params]
temperature = 0
stop = ["\\n"]

[routes.zebra.prompt]
plugin = "template"
user = "{{ stripe }}"
columns = ["a", "b"]

[routes.zebra.reader]
plugin = "csv"
delimiter = ";"

[routes.ant]
provider = "openai"
model = "other"
prompt = { plugin = "template", user = "{{ leg }}" }
reader = { encoding = "cp1252" }

[sinks.warehouse]
plugin = "webhook"
url = "https://warehouse.example"
"""


def test_every_key_arrives(write: Write, catalogue: Catalogue) -> None:
    path = write(FULL)
    (path.parent / "plugins.d").mkdir()
    config = load(path, catalogue)

    base = path.parent
    assert config.path == path
    assert config.plugin_dir == base / "plugins.d"
    assert config.folders == configs.Folders(
        inbox=base / "in",
        outbox=Path("/srv/out"),
        archive=base.parent / "kept",
        rejected=base / "rejected",
        held=base / "held",
        state=base / "deep/state",
        spool=base / "deep/state",
    )
    assert config.intake.model_dump() == {
        "settle": 0.5,
        "rescan": 15.0,
        "observer": "polling",
        "duplicates": "process",
        "keep_finished": 30 * 86_400.0,
        "ignore": ["*.bak", "old/**"],
    }
    assert config.budget.model_dump() == {
        "currency": "EUR",
        "per_job": Decimal(5),
        "per_day": Decimal("0.1"),
        "per_month": Decimal(0),
        "beyond": "wait",
        "approve_in_folder": True,
    }
    acme = config.providers["acme"]
    assert (acme.plugin, acme.mode, acme.poll, acme.create_timeout, acme.linger) == ("openai", "batch", 60.0, 90.0, 0.0)
    assert acme.settings == {"base_url": "https://acme.example/v1", "api_key": "credential:acme"}
    assert acme.limits(Limits()) == Limits(10_000, 100_000_000, 5_000, 2_000_000)
    assert acme.price_list() == {
        "gpt-4.1": Price(Decimal("0.42"), Decimal("2.1"), Decimal("0.042"), batch_discount=Decimal("0.25")),
        "other": Price(Decimal(1), Decimal(3), batch_input=Decimal("0.4"), batch_output=Decimal("1.2")),
    }
    assert config.providers["openai"].plugin == "openai"
    assert config.routes == (
        Route(
            name="zebra",
            match=("zebra/**", "*stripe*.csv"),
            provider="acme",
            model="gpt-4.1",
            prompt=PluginSpec("template", {"user": "{{ stripe }}", "columns": ["a", "b"]}),
            endpoint="/v1/responses",
            params={"temperature": 0, "stop": ["\n"]},
            sinks=("warehouse", "csv"),
            attempts=5,
            part_rows=500,
            reader=PluginSpec("csv", {"delimiter": ";"}),
            reuse=30 * 86_400.0,
            finish_within=6 * 3600.0,
            max_failed=0.05,
        ),
        Route(
            name="ant",
            match=("ant/**",),
            provider="openai",
            model="other",
            prompt=PluginSpec("template", {"user": "{{ leg }}"}),
            reader=PluginSpec("", {"encoding": "cp1252"}),
        ),
    )
    assert {name: (sink.plugin, sink.settings) for name, sink in config.sinks.items()} == {
        "warehouse": ("webhook", {"url": "https://warehouse.example"}),
        "csv": ("csv", {}),
    }
    assert config.warnings == ()


def test_what_is_left_out_has_the_defaults_of_the_design(write: Write, catalogue: Catalogue, good: str) -> None:
    config = load(write(good), catalogue)
    assert config.intake.model_dump() == {
        "settle": 2.0,
        "rescan": 5.0,
        "observer": "auto",
        "duplicates": "redeliver",
        "keep_finished": 7 * 86_400.0,
        "ignore": [],
    }
    assert config.budget.model_dump() == {
        "currency": "USD",
        "per_job": None,
        "per_day": None,
        "per_month": None,
        "beyond": "hold",
        "approve_in_folder": False,
    }
    acme = config.providers["acme"]
    assert (acme.mode, acme.poll, acme.create_timeout, acme.linger) == ("auto", 30.0, 60.0, 5.0)
    offered = Limits(7, 8, 9, 10)
    assert acme.limits(offered) == offered
    assert config.routes == (
        Route(
            name="reviews",
            match=("reviews/**",),
            provider="acme",
            model="small",
            prompt=PluginSpec("template", {"user": "Review: {{ review }}"}),
        ),
    )
    assert config.plugin_dir is None


def test_folders_are_relative_to_the_config_file_not_to_where_we_stand(
    write: Write, catalogue: Catalogue, good: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(good)
    monkeypatch.chdir("/")
    assert load(path, catalogue).folders.inbox == tmp_path / "inbox"


def test_a_relative_path_to_the_config_gives_absolute_folders(
    write: Write, catalogue: Catalogue, good: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(good)
    monkeypatch.chdir(tmp_path)
    config = load(Path("config.toml"), catalogue)
    assert config.path == tmp_path / "config.toml"
    assert config.folders.state == tmp_path / "state"


def test_a_byte_order_mark_is_no_fault(catalogue: Catalogue, good: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + good.lstrip().encode())
    assert load(path, catalogue).routes[0].name == "reviews"


def test_tables_do_not_show_the_settings_of_plugins(write: Write, catalogue: Catalogue, good: str) -> None:
    config = load(write(good.replace("env:ACME_KEY", "sekrit-9b1d")), catalogue)
    assert config.providers["acme"].settings["api_key"] == "sekrit-9b1d"
    assert "sekrit" not in repr(config)
    assert "sekrit" not in str(config.providers["acme"].model_dump())


def test_tables_cannot_be_changed(write: Write, catalogue: Catalogue, good: str) -> None:
    config = load(write(good), catalogue)
    with pytest.raises(ValueError, match="frozen"):
        config.intake.settle = 1.0  # type: ignore[misc]
    with pytest.raises(AttributeError):
        config.path = Path("/")  # type: ignore[misc]


def test_a_snapshot_of_a_route_survives_json(write: Write, catalogue: Catalogue) -> None:
    import msgspec

    for route in load(write(FULL), catalogue).routes:
        route = replace(route, finish_within=None)  # it is as it is configured now
        assert Route.from_json(msgspec.json.decode(msgspec.json.encode(route.to_json()))) == route


@pytest.mark.parametrize(
    ("added", "warning"),
    [
        (
            (
                '[sinks.hook]\nplugin = "webhook"\nurl = "x"\n[providers.b]\nplugin = "openai"\nbase_url = "x"\n'
                'api_key = "sekrit"'
            ),
            (
                "{path}:20: [providers.b] api_key: is the secret itself, "
                "so everyone who can read this file sees it; "
                'write "env:NAME", "file:PATH" or "credential:NAME" instead.'
            ),
        ),
        (
            '[providers.b]\nplugin = "openai"\nbase_url = "x"\napi_key = "env:B"\nheaders = { X-Org = "sekrit" }',
            (
                "{path}:18: [providers.b.headers] X-Org: is the secret itself, "
                "so everyone who can read this file sees it; "
                'write "env:NAME", "file:PATH" or "credential:NAME" instead.'
            ),
        ),
        (
            (
                '[routes.again]\nmatch = ["reviews/**"]\nprovider = "acme"\nmodel = "m"\n'
                'prompt = { plugin = "template", user = "{{ a }}" }'
            ),
            '{path}:14: [routes.again]: never gets a file, as the route "reviews" above takes them all.',
        ),
    ],
)
def test_what_is_doubtful_is_a_warning(write: Write, catalogue: Catalogue, good: str, added: str, warning: str) -> None:
    path = write(good.lstrip() + "\n" + added)
    config = load(path, catalogue)
    assert config.warnings == (warning.format(path=path),)
    assert "sekrit" not in repr(config.warnings)


def test_a_plugin_folder_that_is_not_there_is_a_warning(write: Write, catalogue: Catalogue, good: str) -> None:
    path = write('plugin_dir = "plugin.d"\n' + good)
    assert load(path, catalogue).warnings == (f"{path}:1: plugin_dir: there is no folder {path.parent / 'plugin.d'}.",)


def test_a_route_that_takes_everything_shadows_those_below(write: Write, catalogue: Catalogue, good: str) -> None:
    more = """
    [routes.special]
    match = ["special/**", "*.tsv"]
    provider = "acme"
    model = "m"
    prompt = { plugin = "template", user = "{{ a }}" }
    """.replace("    ", "")
    path = write(good.replace('model = "small"', 'model = "small"\nmatch = ["**"]') + more)
    (warning,) = load(path, catalogue).warnings
    assert '[routes.special]: never gets a file, as the route "reviews" above takes them all.' in warning


def test_sinks_that_both_write_the_table_are_told(write: Write, catalogue: Catalogue, good: str) -> None:
    marked = '\n[sinks.marked]\nplugin = "csv"\nbom = true\n'
    found = {}
    for sinks in (
        '["same", "csv"]',
        '["csv", "marked"]',
        '["same", "jsonl"]',
        '["same", "csv"]\nformats = ["tsv"]',
    ):
        path = write(
            good.replace('model = "small"', f'model = "small"\nsinks = {sinks}') + marked * ("marked" in sinks)
        )
        found[sinks] = [each.partition("sinks: ")[2].partition(";")[0] for each in load(path, catalogue).warnings]
    both = "{} both write NAME.results.csv"
    assert [*found.values()] == [[both.format('"same" and "csv"')], [both.format('"csv" and "marked"')], [], []]


def test_folders_for_people_may_hold_each_other(write: Write, catalogue: Catalogue, good: str) -> None:
    folders = '[folders]\narchive = "outbox/archive"\nrejected = "outbox/rejected"\nheld = "outbox/held"\n'
    config = load(write(folders + good), catalogue)
    assert config.folders.archive == config.folders.outbox / "archive"


def test_the_working_files_are_in_the_state_folder_unless_a_spool_is_named(
    write: Write, catalogue: Catalogue, good: str
) -> None:
    def folders(lines: str) -> configs.Folders:
        return load(write(f"[folders]\n{lines}\n{good}"), catalogue).folders

    assert folders("").spool.name == "state"
    assert folders('spool = "state"').spool.name == "state"
    named = folders('spool = "/mnt/shared/batchd"')
    assert (named.state.name, named.spool) == ("state", Path("/mnt/shared/batchd"))
    with pytest.raises(ConfigError, match='is inside the folder "inbox"'):
        folders('spool = "inbox/shared"')
