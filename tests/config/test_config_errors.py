"""Everything that can be wrong with a config, and the very words it is told in."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.config.load import load
from batchd.errors import ConfigError, PluginError
from batchd.plugin.catalogue import Catalogue

from .conftest import refused

Write = Callable[[str], Path]

HEAD = """\
[providers.acme]
plugin = "openai"
base_url = "https://acme.example/v1"
api_key = "env:ACME_KEY"
[routes.reviews]
provider = "acme"
model = "small"
prompt = { plugin = "template", user = "{{ review }}" }
"""


@pytest.mark.parametrize(
    ("added", "message"),
    [
        # Unknown keys, everywhere.
        ('[intake]\nsettel = "2s"', '10: [intake] settel: there is no such key here; did you mean "settle"?'),
        ("[intaek]\n", '9: [intaek]: there is no such key here; did you mean "intake"?'),
        (
            "[budget]\nxyzzy = 1",
            "10: [budget] xyzzy: there is no such key here; the keys are: approve_in_folder, beyond, currency, per_day, per_job, per_month.",
        ),
        ('[folders]\nInbox = "x"', '10: [folders] Inbox: there is no such key here; did you mean "inbox"?'),
        # Types and ranges.
        (
            "[intake]\nsettle = true",
            '10: [intake] settle: write a duration, such as "500ms", "2s", "10m", "6h" or "30d".',
        ),
        (
            '[intake]\nsettle = "2 sec"',
            '10: [intake] settle: \'2 sec\' is not a duration; write one such as "500ms", "2s", "10m", "6h" or "30d".',
        ),
        ("[intake]\nsettle = -1", "10: [intake] settle: a duration cannot be negative."),
        (
            "[intake]\nsettle = nan",
            '10: [intake] settle: write a duration, such as "500ms", "2s", "10m", "6h" or "30d".',
        ),
        (
            "[intake]\nsettle = inf",
            '10: [intake] settle: write a duration, such as "500ms", "2s", "10m", "6h" or "30d".',
        ),
        ('[intake]\nrescan = "0s"', "10: [intake] rescan: a duration of zero is not possible here."),
        (
            '[intake]\nobserver = "poling"',
            (
                "10: [intake] observer: should be 'auto', 'inotify' or 'polling', not \"poling\"; "
                'did you mean "polling"?'
            ),
        ),
        (
            "[intake]\nduplicates = 3",
            "10: [intake] duplicates: should be 'redeliver', 'process' or 'reject'.",
        ),
        ("intake = 3", "9: [routes.reviews] intake: there is no such key here; the keys are: {route_keys}."),
        ("[folders]\ninbox = 3", "10: [folders] inbox: should be text, in quotes."),
        ('[folders]\ninbox = " "', "10: [folders] inbox: is empty."),
        ("[budget]\nper_job = -0.01", "10: [budget] per_job: an amount of money cannot be negative."),
        ("[budget]\nper_job = inf", "10: [budget] per_job: an amount of money cannot be infinite."),
        ("[budget]\nper_job = nan", "10: [budget] per_job: an amount of money cannot be infinite."),
        ("[budget]\nper_job = true", "10: [budget] per_job: write an amount of money as a number, such as 5.0."),
        ('[budget]\nper_day = "5"', "10: [budget] per_day: write an amount of money as a number, such as 5.0."),
        (
            '[budget]\ncurrency = "dollars"',
            '10: [budget] currency: write a currency as three capital letters, such as "USD".',
        ),
        # Prices.
        # More than can be counted.
        (
            "[budget]\nper_day = 5000000",
            (
                "10: [budget] per_day: is more than batchd can count in USD, which is 4611686.02; write less, or leave it "
                "out for no limit."
            ),
        ),
        (
            '[budget]\ncurrency = "VND"\nper_day = 5_000_000\n[providers.acme.budget]\nper_month = 5e9',
            (
                "13: [providers.acme.budget] per_month: is more than batchd can count in VND, which is 4611686018.43; "
                "write less, or leave it out for no limit."
            ),
        ),
        (
            "[routes.reviews.budget]\nper_day = 5000000",
            (
                "10: [routes.reviews.budget] per_day: is more than batchd can count in USD, which is 4611686.02; write "
                "less, or leave it out for no limit."
            ),
        ),
        (
            "[routes.reviews.budget]\nper_day = -1",
            "10: [routes.reviews.budget] per_day: an amount of money cannot be negative.",
        ),
        (
            '[routes.reviews.budget]\ncurrency = "EUR"',
            "10: [routes.reviews.budget] currency: there is no such key here; the keys are: beyond, per_day, per_job, per_month.",
        ),
        (
            "[providers.acme.prices.small]\ninput = 1_000_000_001\noutput = 1",
            (
                "10: [providers.acme.prices.small] input: is more than 1,000 units of the currency for one token; write "
                "the price of a million tokens."
            ),
        ),
        ("[providers.acme.prices.small]\ninput = 1", "9: [providers.acme.prices.small] output: is missing."),
        (
            "[providers.acme.prices.small]\ninput = -1\noutput = 1",
            "10: [providers.acme.prices.small] input: an amount of money cannot be negative.",
        ),
        (
            '[providers.acme.prices."gpt-4.1"]\ninput = 1\noutput = 1\nbatch = 1',
            '12: [providers.acme.prices."gpt-4.1"] batch: there is no such key here; did you mean "batch_input"?',
        ),
        (
            "[providers.acme.prices.small]\ninput = 1\noutput = 1\nbatch_discount = 50",
            (
                "12: [providers.acme.prices.small] batch_discount: write the part that a batch takes off, from 0 to 1: "
                "0.5 is half price."
            ),
        ),
        (
            "[providers.acme.prices.small]\ninput = 1\noutput = 1\nbatch_input = 1",
            "9: [providers.acme.prices.small]: batch_input and batch_output go together.",
        ),
        (
            (
                "[providers.acme.prices.small]\ninput = 1\noutput = 1\nbatch_input = 1\nbatch_output = 1\n"
                "batch_discount = 0"
            ),
            "9: [providers.acme.prices.small]: write either batch_discount, or batch_input and batch_output.",
        ),
        (
            '[providers.acme.prices.small]\ninput = 1\noutput = 1\ncurrency = "CNY"',
            (
                "12: [providers.acme.prices.small] currency: is CNY, but [budget] currency is USD: all sums are in one "
                "currency, and nothing is converted; write these prices in it."
            ),
        ),
        (
            '[budget]\ncurrency = "CNY"\n[providers.acme.prices.small]\ninput = 1\noutput = 1\ncurrency = "USD"',
            (
                "14: [providers.acme.prices.small] currency: is USD, but [budget] currency is CNY: all sums are in one "
                "currency, and nothing is converted; write these prices in it."
            ),
        ),
        ("[providers.acme.prices.small]\noutput = 1", "9: [providers.acme.prices.small] input: is missing."),
        (
            "[providers.acme.prices.small]\ninput = 1\noutput = -0.001",
            "11: [providers.acme.prices.small] output: an amount of money cannot be negative.",
        ),
        (
            '[providers.acme.prices.small]\ninput = "1"\noutput = 1',
            "10: [providers.acme.prices.small] input: write an amount of money as a number, such as 5.0.",
        ),
        (
            '[providers.live-only]\nprices_of = "opnai"',
            '10: [providers.live-only] prices_of: there are no published prices of "opnai"; did you mean "openai"?',
        ),
        (
            "[providers.live-only]\nbatch_discount = -0.1",
            (
                "10: [providers.live-only] batch_discount: write the part that a batch takes off, from 0 to 1: 0.5 is "
                "half price."
            ),
        ),
        # Providers.
        (
            '[providers.b]\nplugin = "opnai"',
            '10: [providers.b] plugin: there is no provider "opnai"; did you mean "openai"?',
        ),
        ("[providers.b]\n", '9: [providers.b] plugin: there is no provider "b"; there are: live-only, openai.'),
        ("[providers.b]\nplugin = 1", "10: [providers.b] plugin: should be text, in quotes."),
        (
            '[providers.live-only]\npoll = "0s"',
            "10: [providers.live-only] poll: a duration of zero is not possible here.",
        ),
        (
            "[providers.live-only]\nmax_requests = 0",
            "10: [providers.live-only] max_requests: should be greater than or equal to 1.",
        ),
        (
            '[providers.live-only]\nmode = "batch"',
            '10: [providers.live-only] mode: is "batch", which the provider "live-only" cannot do; write "auto".',
        ),
        (
            '[providers.live-only]\npol = "1s"',
            '10: [providers.live-only] pol: there is no such key here; did you mean "poll"?',
        ),
        (
            '[providers.openai]\napi_key = "env:K"\nbase_ulr = "x"\nbase_url = "x"',
            '11: [providers.openai] base_ulr: there is no such key here; did you mean "base_url"?',
        ),
        ('[providers.openai]\napi_key = "env:K"', "9: [providers.openai] base_url: is missing."),
        (
            '[providers."a/b"]\nplugin = "live-only"',
            '9: [providers."a/b"]: is not a name: begin with a letter or digit, then letters, digits, . + - _.',
        ),
        # Sinks.
        ("[sinks.csv]\nbon = true", '10: [sinks.csv] bon: there is no such key here; did you mean "bom"?'),
        ("[sinks.hook]\nurl = 3", '9: [sinks.hook] plugin: there is no sink "hook"; did you mean "webhook"?'),
        (
            '[sinks.hook]\nplugin = "webhook"\nurl = "u"\nretry = { times = "x", tims = 2 }',
            (
                "12: [sinks.hook.retry] times: should be a whole number.\n"
                '12: [sinks.hook.retry] tims: there is no such key here; did you mean "times"?'
            ),
        ),
        (
            '[sinks.big]\nplugin = "clumsy"\nsize = 1',
            (
                '9: [sinks.big]: the sink "clumsy" failed on these settings: '
                "KeyError: 'nothing' (standard.py, line 103)."
            ),
        ),
    ],
)
def test_a_fault_is_told_by_line_table_key_and_remedy(
    write: Write, catalogue: Catalogue, added: str, message: str
) -> None:
    route_keys = (
        "attempts, budget, empty_rows, endpoint, fallback, fallback_after, fallback_model, files, finish_within, formats, group, "
        "identical_rows, match, max_failed, max_file_bytes, mode, model, params, part_rows, pilot, pilot_sample, priority, "
        "prompt, provider, questions, reader, reuse, review, send_between, sinks, then"
    )
    expected = message.format(route_keys=route_keys) if "{route_keys}" in message else message
    assert refused(write(HEAD + added), catalogue) == expected.split("\n")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ('provider = "acne"', '3: [routes.r] provider: there is no table [providers.acne]; did you mean "acme"?'),
        ("provider = 3", "3: [routes.r] provider: should be text, in quotes."),
        ('model = ""', "4: [routes.r] model: is empty."),
        ("match = []", "5: [routes.r] match: is empty."),
        ('match = ["ok", 3]', "5: [routes.r] match: item 2: should be text, in quotes."),
        ('match = "reviews/**"', "5: [routes.r] match: should be a list."),
        (
            'match = ["/reviews/**"]',
            (
                '5: [routes.r] match: item 1: "/reviews/**" is not a pattern for files; '
                'write one such as "reviews/**" or "*.csv".'
            ),
        ),
        (
            'match = ["a/../b"]',
            (
                '5: [routes.r] match: item 1: "a/../b" is not a pattern for files; '
                'write one such as "reviews/**" or "*.csv".'
            ),
        ),
        ('endpoint = "v1/chat"', '5: [routes.r] endpoint: write an endpoint such as "/v1/chat/completions".'),
        ('reuse = "on"', '5: [routes.r] reuse: write "off", or a duration such as "30d".'),
        ("reuse = 0", '5: [routes.r] reuse: write "off", or a duration such as "30d".'),
        ("attempts = 0", "5: [routes.r] attempts: should be greater than or equal to 1."),
        ('attempts = "3"', "5: [routes.r] attempts: should be a whole number."),
        ("attempts = 2.0", "5: [routes.r] attempts: should be a whole number."),
        ("part_rows = 1_000_000", "5: [routes.r] part_rows: should be less than or equal to 100000."),
        ('max_failed = "101%"', '5: [routes.r] max_failed: write a percentage from "0%" to "100%".'),
        ("mode = 640", '5: [routes.r] mode: write it in quotes, as chmod takes it, such as "0640".'),
        (
            'mode = "0440"',
            '5: [routes.r] mode: must let batchd itself read and write, and nobody execute it, such as "0640".',
        ),
        ("max_failed = 0.05", '5: [routes.r] max_failed: write a percentage from "0%" to "100%".'),
        ('finish_within = "0s"', "5: [routes.r] finish_within: a duration of zero is not possible here."),
        ("sinks = []", "5: [routes.r] sinks: is empty."),
        ('sinks = ["csv", "csv"]', '5: [routes.r] sinks: names "csv" more than once.'),
        (
            'sinks = ["cvs"]',
            (
                '5: [routes.r] sinks: there is no sink "cvs", neither as a table [sinks.cvs] nor built in; '
                'did you mean "csv"?'
            ),
        ),
        (
            'sinks = ["warehose"]',
            (
                '5: [routes.r] sinks: there is no sink "warehose", neither as a table [sinks.warehose] nor built in; '
                'did you mean "warehouse"?'
            ),
        ),
        (
            'sinks = ["webhook"]',
            '5: [routes.r] sinks: the sink "webhook" needs settings (url: is missing); write a table [sinks.webhook].',
        ),
        (
            "params = { seed = nan }",
            (
                "5: [routes.r.params] seed: is a number without an end (nan), which JSON does not have; "
                "write it as text, in quotes."
            ),
        ),
        (
            "params = { stop = [2026-01-01] }",
            "5: [routes.r.params] stop: item 1: is a date or time, which JSON does not have; write it as text, in quotes.",
        ),
        (
            'params = { model = "x" }',
            "5: [routes.r.params] model: belongs to the table [routes.r] itself, not to its params.",
        ),
        ("params = 3", "5: [routes.r] params: should be a table."),
        (
            "prompt = {}",
            '5: [routes.r.prompt] plugin: is missing; write which kind of prompt it is, such as plugin = "template".',
        ),
        (
            'prompt = { plugin = "tmplate" }',
            '5: [routes.r.prompt] plugin: there is no prompt builder "tmplate"; did you mean "template"?',
        ),
        ("prompt = { plugin = 3 }", "5: [routes.r.prompt] plugin: should be the name of a plugin's kind, in quotes."),
        ('prompt = { plugin = "template" }', "5: [routes.r.prompt] user: is missing."),
        (
            'prompt = { plugin = "template", user = "review" }',
            "5: [routes.r.prompt] user: names no column: write one as {{ review }}.",
        ),
        (
            'prompt = { plugin = "template", user = "{{ a }}", colums = [] }',
            '5: [routes.r.prompt] colums: there is no such key here; did you mean "columns"?',
        ),
        (
            'prompt = { plugin = "template", user = "{{ a }}", columns = 3 }',
            "5: [routes.r.prompt] columns: should be a list; or should be text, in quotes.",
        ),
        (
            'prompt = { plugin = "template", user = "{{ a }}", signing = "sekrit-9b1d" }',
            (
                "5: [routes.r.prompt] signing: is the secret itself, which would be stored with every job; "
                'write "env:NAME", "file:PATH" or "credential:NAME".'
            ),
        ),
        ('reader = { plugin = "cvs" }', '5: [routes.r.reader] plugin: there is no reader "cvs"; did you mean "csv"?'),
        (
            'reader = { plugin = "jsonl", encoding = "x" }',
            "5: [routes.r.reader] encoding: there is no such key here; the keys are: flatten, plugin.",
        ),
        # No kind: the reader that understands most of it says what is wrong.
        (
            'reader = { encodin = "x", delimiter = ";" }',
            '5: [routes.r.reader] encodin: there is no such key here; did you mean "encoding"?',
        ),
        ('reader = "csv"', "5: [routes.r] reader: should be a table."),
    ],
)
def test_a_fault_of_a_route(write: Write, catalogue: Catalogue, key: str, message: str) -> None:
    keys = {
        "provider": 'provider = "acme"',
        "model": 'model = "m"',
        "prompt": 'prompt = { plugin = "template", user = "{{ a }}" }',
    }
    name = key.split(" ")[0]
    lines = ["# a comment", "[routes.r]", keys["provider"], keys["model"]]
    lines = [key if line == keys.get(name) else line for line in lines]
    lines += [keys["prompt"]] if name in {"provider", "model"} else [key]
    lines += [keys["prompt"]] if name not in keys else []
    providers = '[providers.acme]\nplugin = "live-only"\n[sinks.warehouse]\nplugin = "jsonl"\n'
    assert refused(write("\n".join(lines) + "\n" + providers), catalogue) == [message]


@pytest.mark.parametrize("missing", ["provider", "model", "prompt"])
def test_what_a_route_must_say(write: Write, catalogue: Catalogue, missing: str) -> None:
    keys = {
        "provider": 'provider = "acme"',
        "model": 'model = "m"',
        "prompt": 'prompt = { plugin = "template", user = "{{ a }}" }',
    }
    lines = [
        "[providers.acme]",
        'plugin = "live-only"',
        "",
        "[routes.r]",
        *(keys[key] for key in keys if key != missing),
    ]
    assert refused(write("\n".join(lines)), catalogue) == [f"4: [routes.r] {missing}: is missing."]


def test_settings_without_a_kind_must_suit_the_reader_that_the_pattern_names(
    write: Write, catalogue: Catalogue
) -> None:
    text = HEAD.replace("[routes.reviews]\n", '[routes.reviews]\nmatch = ["*.jsonl"]\nreader = { encoding = "x" }\n')
    assert refused(write(text), catalogue) == [
        "7: [routes.reviews.reader] encoding: there is no such key here; the keys are: flatten, plugin."
    ]


def test_a_config_without_routes_would_do_nothing(write: Write, catalogue: Catalogue) -> None:
    assert refused(write(""), catalogue) == [
        "1: routes: there is no route, so batchd would process no file; write a table [routes.NAME]."
    ]


def test_sections_that_are_no_tables(write: Write, catalogue: Catalogue) -> None:
    text = 'providers = 1\nfolders = "x"\nroutes = { r = 3 }\nplugin_dir = []\n'
    assert refused(write(text), catalogue) == [
        "1: providers: should be a table.",
        "2: folders: should be a table.",
        "3: [routes] r: should be a table.",
        "4: plugin_dir: should be text, in quotes.",
    ]


def test_all_faults_come_at_once_in_the_order_of_the_file(write: Write, catalogue: Catalogue) -> None:
    text = """\
    plugin_dirr = "x"
    [intake]
    settel = "2s"
    [providers.acme]
    plugin = "openai"
    mode = "bacth"
    api_key = 7
    [routes.a]
    provider = "amce"
    model = "m"
    sinks = ["cvs"]
    reuse = "sometimes"
    prompt = { plugin = "template", usr = "x" }
    """
    assert refused(write(text), catalogue) == [
        '1: plugin_dirr: there is no such key here; did you mean "plugin_dir"?',
        '3: [intake] settel: there is no such key here; did you mean "settle"?',
        "4: [providers.acme] base_url: is missing.",
        "6: [providers.acme] mode: should be 'batch', 'live' or 'auto', not \"bacth\"; did you mean \"batch\"?",
        '7: [providers.acme] api_key: is not usable as it is; write "env:NAME", "file:PATH" or "credential:NAME".',
        '9: [routes.a] provider: there is no table [providers.amce]; did you mean "acme"?',
        (
            '11: [routes.a] sinks: there is no sink "cvs", neither as a table [sinks.cvs] nor built in; '
            'did you mean "csv"?'
        ),
        '12: [routes.a] reuse: write "off", or a duration such as "30d".',
        "13: [routes.a.prompt] user: is missing.",
        '13: [routes.a.prompt] usr: there is no such key here; did you mean "user"?',
    ]


# --- Folders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (
            'outbox = "inbox/out"',
            'outbox: is inside the folder "inbox" ({0}/inbox); batchd would process its files as dropped ones.',
        ),
        (
            'inbox = "state/in"',
            'inbox: is inside the folder "state" ({0}/state); batchd keeps and deletes its own files there.',
        ),
        (
            'state = "outbox/state"',
            (
                'state: is inside the folder "outbox" ({0}/outbox); '
                "its files are batchd's own and must not be seen or moved."
            ),
        ),
        (
            'inbox = "outbox/in"',
            (
                'inbox: is inside the folder "outbox" ({0}/outbox); '
                "batchd could process the files there as dropped ones."
            ),
        ),
        ('outbox = "rejected"', 'rejected: is the same folder as "outbox"; give it one of its own.'),
        ('outbox = "./x/../inbox"', 'outbox: is the same folder as "inbox"; give it one of its own.'),
    ],
)
def test_folders_whose_files_would_be_taken_for_others(
    write: Write, catalogue: Catalogue, folders: str, message: str
) -> None:
    path = write(HEAD + "[folders]\n" + folders)
    lines = [line.partition(": [folders] ")[2] for line in refused(path, catalogue)]
    assert lines == [message.format(path.parent)]


def test_an_inbox_that_holds_everything_is_told_for_each(write: Write, catalogue: Catalogue) -> None:
    lines = refused(write(HEAD + '[folders]\ninbox = "."'), catalogue)
    assert [line.split(" ")[2] for line in lines] == ["outbox:", "archive:", "rejected:", "held:", "state:", "inbox:"]
    assert lines[-1] == "10: [folders] inbox: has this configuration in it, which would be processed as a dropped file."


def test_a_symbolic_link_does_not_hide_that_two_folders_are_one(
    write: Write, catalogue: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "outbox").symlink_to("inbox")
    assert refused(write(HEAD), catalogue) == [
        '1: [folders] outbox: is the same folder as "inbox"; give it one of its own.'
    ]


def test_nobody_but_the_operator_may_put_plugins_anywhere(write: Write, catalogue: Catalogue) -> None:
    assert refused(write('plugin_dir = "inbox/plugins"\n' + HEAD), catalogue) == [
        '1: plugin_dir: is inside the folder "inbox", where others could put code for batchd to run.'
    ]


# --- The file itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"[intake]\nsettle = 2s\n",
            ":2: this is not TOML: there is more after the value. Write text in quotes, each key on a line.",
        ),
        (b"[intake]\nobserver = auto\n", ":2: this is not TOML: invalid value. Write text in quotes."),
        (b"a = 1\na = 2\n", ":2: this is not TOML: this key is there twice."),
        (b'a = "x', ":1: this is not TOML: the text has no closing quote."),
        (b'a = "x\nb = 1\n', ":1: this is not TOML: the text has no closing quote."),
        (b"a = 'x\n", ":1: this is not TOML: the text has no closing quote."),
        (b"[a]\n[a]\n", ":2: this is not TOML: this table is there twice. Put its keys together."),
        (b"a : 1\n", ":1: this is not TOML: a line must be key = value, or the name of a [table]."),
        (b"a = [1 2]\n", ":1: this is not TOML: the list has no closing ], or no comma between two values."),
        (b'a = "C:\\Users"\n', ":1: this is not TOML: write a text with a backslash in single quotes."),
        (b'a = "C:\\data"\n', ":1: this is not TOML: write a text with a backslash in single quotes."),
        (b"x = 2026-13-45\n", None),
        (b"a = '\xff'\n", ":1: this is not UTF-8. Save the file as UTF-8."),
        (b"a = " + b"[" * 20_000, ": the lists and tables in it are nested too deeply."),
        (b"a = " + b"1" * 5_000, None),
    ],
)
def test_what_is_not_toml(tmp_path: Path, catalogue: Catalogue, content: bytes, message: str | None) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path, catalogue)
    if message is None:
        assert str(caught.value).startswith(f"{path}:")
    else:
        assert str(caught.value) == f"{path}{message}"


def test_a_config_that_is_not_there(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.toml", catalogue)
    assert str(caught.value) == f"There is no configuration at {tmp_path / 'none.toml'}. Write one with: batchd init"
    assert caught.value.exit_status == 4


def test_a_config_that_is_a_folder(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, catalogue)
    assert str(caught.value) == f"{tmp_path} cannot be read: Is a directory."


# --- Broken plugins ----------------------------------------------------------------------------------------------


@pytest.fixture
def with_broken(plugin_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "standard.py").write_bytes((plugin_dir / "standard.py").read_bytes())
    (folder / "warehouse.py").write_text("import no_such_library\n")
    monkeypatch.setattr(metadata, "entry_points", lambda **_: ())
    return Catalogue.load(folder)


def why(tmp_path: Path) -> str:
    return (
        f'The plugin "warehouse" of {tmp_path}/plugins/warehouse.py is broken: it cannot be imported: '
        "ModuleNotFoundError: No module named 'no_such_library' (warehouse.py, line 1)."
    )


def test_a_broken_plugin_stops_only_who_needs_it(write: Write, with_broken: Catalogue, tmp_path: Path) -> None:
    path = write(HEAD + '[sinks.w]\nplugin = "warehouse"\n')
    config = load(path, with_broken)
    assert config.warnings == (f'{path}:10: [sinks.w] plugin: the sink "warehouse" is not there. {why(tmp_path)}',)
    assert "w" in config.sinks


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('sinks = ["w"]\n[sinks.w]\nplugin = "warehouse"', '11: [sinks.w] plugin: the sink "warehouse" is not there. '),
        (
            'sinks = ["warehouse"]',
            (
                '9: [routes.reviews] sinks: there is no sink "warehouse", '
                "neither as a table [sinks.warehouse] nor built in. "
            ),
        ),
        ('reader = { plugin = "xlsx" }', '9: [routes.reviews.reader] plugin: the reader "xlsx" is not there. '),
    ],
)
def test_a_broken_plugin_that_a_route_needs_is_named(
    write: Write, with_broken: Catalogue, tmp_path: Path, added: str, message: str
) -> None:
    path = write(HEAD + added)
    with pytest.raises(PluginError) as caught:
        load(path, with_broken)
    assert str(caught.value) == f"{path}:{message}{why(tmp_path)}"
    assert caught.value.exit_status == 4


def test_a_slip_of_the_pen_is_not_put_down_to_a_broken_plugin(write: Write, with_broken: Catalogue) -> None:
    assert refused(write(HEAD + 'sinks = ["cvs"]'), with_broken) == [
        (
            '9: [routes.reviews] sinks: there is no sink "cvs", neither as a table [sinks.cvs] nor built in; '
            'did you mean "csv"?'
        )
    ]


def test_with_other_faults_it_is_the_config_that_is_wrong(write: Write, with_broken: Catalogue) -> None:
    lines = refused(write(HEAD + 'sinks = ["warehouse"]\nattempts = 0'), with_broken)
    assert [line.split(":")[0] for line in lines] == ["9", "10"]


# --- Secrets -----------------------------------------------------------------------------------------------------

SECRET = "Xq7-tresor-93hf"


@pytest.mark.parametrize(
    "text",
    [
        f'[providers.b]\nplugin = "openai"\nbase_url = 3\napi_key = "{SECRET}"\nmode = "bad"\n',
        f'[providers.b]\nplugin = "openai"\nbase_url = "x"\napi_key = ["{SECRET}"]\n',
        f'[providers.b]\nplugin = "openai"\nbase_url = "x"\napi_key = "env:K"\nheaders = "{SECRET}"\n',
        f'[providers.b]\nplugin = "openai"\nbase_url = "x"\napi_key = "env:K"\nheaders = {{ a = ["{SECRET}"] }}\n',
        f'[providers.b]\nplugin = "openai"\nbase_url = "x"\napi_kye = "{SECRET}"\n',
        f'[sinks.b]\nplugin = "webhook"\nurl = "x"\ntoken = "{SECRET}"\n',
        f'[sinks.b]\nplugin = "nothing"\ntoken = "{SECRET}"\n',
        f'[routes.b]\nprompt = {{ plugin = "template", user = "x", signing = "{SECRET}" }}\n',
    ],
)
def test_no_error_repeats_a_secret(write: Write, catalogue: Catalogue, text: str) -> None:
    lines = refused(write(HEAD + text), catalogue)
    assert lines
    assert SECRET not in "\n".join(lines)


def test_a_validator_that_quotes_a_secret_is_silenced(write: Write, catalogue: Catalogue) -> None:
    text = f'[sinks.b]\nplugin = "webhook"\nurl = "x"\ntoken = "{SECRET}"\n'
    assert refused(write(HEAD + text), catalogue) == [
        "12: [sinks.b] token: is not usable (the reason is not shown, as it may repeat a secret)."
    ]


# --- Properties --------------------------------------------------------------------------------------------------

KNOWN = {
    "intake": ["settle", "rescan", "observer", "duplicates", "keep_finished"],
    "budget": ["currency", "per_job", "per_day", "per_month"],
    "folders": ["inbox", "outbox", "archive", "rejected", "held", "state"],
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), blank=st.integers(0, 9))
def test_two_letters_swapped_are_found_and_mended(
    tmp_path: Path, catalogue: Catalogue, data: st.DataObject, blank: int
) -> None:
    table = data.draw(st.sampled_from(sorted(KNOWN)))
    right = data.draw(st.sampled_from(KNOWN[table]))
    at = data.draw(st.integers(1, len(right) - 2).filter(lambda at: right[at] != right[at + 1]))
    wrong = right[:at] + right[at + 1] + right[at] + right[at + 2 :]
    path = tmp_path / "config.toml"
    path.write_text(HEAD + "\n" * blank + f"[{table}]\n# a comment\n{wrong} = 0\n")
    assert f'{11 + blank}: [{table}] {wrong}: there is no such key here; did you mean "{right}"?' in refused(
        path, catalogue
    )


TOML_VALUES = st.recursive(
    st.one_of(
        st.booleans().map(lambda value: str(value).lower()),
        st.integers(-(10**9), 10**9).map(str),
        st.sampled_from(["nan", "inf", "-0.0", "1e308", '""', '"x"', "2026-01-01", "'''\nx'''"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"k{number} = {item}" for number, item in enumerate(items)) + "}"
        ),
    ),
    max_leaves=5,
)
PLACES = [
    *((table, key) for table, keys in KNOWN.items() for key in keys),
    *(("providers.b", key) for key in ("plugin", "mode", "poll", "prices", "max_bytes", "base_url", "api_key", "x")),
    *(("sinks.b", key) for key in ("plugin", "url", "retry", "size")),
    *(("routes.b", key) for key in ("match", "provider", "sinks", "prompt", "reader", "params", "reuse", "max_failed")),
    ("routes.b.prompt", "plugin"),
    ("providers", "b"),
    ("routes", "b"),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.sampled_from(PLACES), value=TOML_VALUES)
@pytest.mark.slow
def test_whatever_is_written_there_the_answer_is_a_config_or_a_sentence(
    tmp_path: Path, catalogue: Catalogue, place: tuple[str, str], value: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HEAD + f"[{place[0]}]\n{place[1]} = {value}\n")
    try:
        load(path, catalogue)
    except ConfigError as error:
        for line in str(error).split("\n"):
            number = int(line.removeprefix(f"{path}:").partition(":")[0])
            assert 1 <= number <= len(path.read_text().split("\n"))


def test_a_file_that_may_not_be_read(tmp_path: Path, catalogue: Catalogue) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / "config.toml"
    path.write_text(HEAD)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path, catalogue)
