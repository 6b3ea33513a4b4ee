"""`batchd config get` and `set`: one line changes, everything else stays, and nothing wrong is ever written."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batchd.config.edit import get, parse_value, set_value
from batchd.errors import ConfigError
from batchd.plugin.catalogue import Catalogue

Write = Callable[[str], Path]

TEXT = '''\
# The operator's notes.

[intake]
settle = "2s"     # long enough for scp
  rescan = 5      # set in

[budget]
per_day = 20.0

[providers.acme]  # the good one
plugin = "openai"
base_url = "https://acme.example/v1"
api_key = "env:ACME_KEY"

[providers.acme.prices."gpt-4.1"]
input = 0.42
output = 2.10

[routes.reviews]
match = [
    "reviews/**",  # theirs
    "*.csv",
]
provider = "acme"
model = "gpt-4.1"
prompt = { plugin = "template", user = "{{ review }}", columns = ["a # b", "c"] }

[routes.reviews.params]
stop = """
# not a comment
[not.a.table]
x = 1"""
'''


HOW = 'Write it as table.key, and a name with a dot or a space in quotes: prices."gpt-4.1".input'


@pytest.mark.parametrize(
    ("key", "value", "before", "after"),
    [
        ("intake.settle", "10s", 'settle = "2s"     # long', 'settle = "10s"     # long'),
        ("intake.rescan", "7", "  rescan = 5      # set in", "  rescan = 7      # set in"),
        ("intake.observer", "polling", "# set in\n", '# set in\n  observer = "polling"\n'),
        ("budget.per_day", "0.1", "per_day = 20.0", "per_day = 0.1"),
        ("budget.per_job", "5", "per_day = 20.0\n", "per_day = 20.0\nper_job = 5\n"),
        ('providers.acme.prices."gpt-4.1".input', "0.5", "input = 0.42", "input = 0.5"),
        ("providers . acme . 'mode'", '"batch"', '"env:ACME_KEY"\n', '"env:ACME_KEY"\nmode = "batch"\n'),
        ("providers.acme.api_key", "file:/run/key", '"env:ACME_KEY"', '"file:/run/key"'),
        (
            "routes.reviews.match",
            '["a/**"]',
            '[\n    "reviews/**",  # theirs\n    "*.csv",\n]',
            '["a/**"]',
        ),
        ("routes.reviews.prompt.user", "{{ text }}", '"{{ review }}"', '"{{ text }}"'),
        ("routes.reviews.prompt.separator", "|", '["a # b", "c"] }', '["a # b", "c"], separator = "|" }'),
        ("routes.reviews.params.stop", "x\ny = 2", '"""\n# not a comment\n[not.a.table]\nx = 1"""', '"x\\ny = 2"'),
        ("routes.reviews.params.seed", "7", 'x = 1"""\n', 'x = 1"""\nseed = 7\n'),
        (
            "routes.reviews.params.deep",
            "{ a = [1, {b = 2}] }",
            'x = 1"""\n',
            'x = 1"""\n\n[routes.reviews.params.deep]\na = [\n    1,\n    { b = 2 },\n]\n',
        ),
        ("folders.inbox", "in", 'x = 1"""\n', 'x = 1"""\n\n[folders]\ninbox = "in"\n'),
        (
            'providers.acme.prices."new.one"',
            "{input = 1, output = 2}",
            'x = 1"""\n',
            'x = 1"""\n\n[providers.acme.prices."new.one"]\ninput = 1\noutput = 2\n',
        ),
        ("plugin_dir", "plugins.d", "# The operator's", 'plugin_dir = "plugins.d"\n\n# The operator\'s'),
    ],
)
def test_one_line_changes_and_the_rest_stays(
    write: Write, catalogue: Catalogue, key: str, value: str, before: str, after: str
) -> None:
    path = write(TEXT)
    change = set_value(path, key, value, catalogue)
    assert TEXT.count(before) == 1
    assert path.read_text() == TEXT.replace(before, after)
    assert change.comments_kept
    assert change.sentence == f"Set {change.key} in {path}."
    assert get(path, key) == change.value


def test_a_dotted_key_gets_its_siblings_form(write: Write, catalogue: Catalogue) -> None:
    rest = TEXT.replace("[intake]", "[folders]").replace("settle", "inbox").replace("  rescan = 5 ", 'outbox = "x"')
    path = write('intake.settle = "2s"  # dotted\n' + rest)
    set_value(path, "intake.rescan", "9s", catalogue)
    assert path.read_text().startswith('intake.settle = "2s"  # dotted\nintake.rescan = "9s"\n#')


def test_line_ends_of_windows_stay(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    set_value(path, "intake.settle", "3s", catalogue)
    set_value(path, "intake.observer", "polling", catalogue)
    set_value(path, "folders.inbox", "in", catalogue)
    content = path.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") == TEXT.count("\n") + 4
    assert get(path, "folders.inbox") == "in"


def test_a_file_without_a_last_line_end(write: Write, catalogue: Catalogue) -> None:
    path = write(TEXT.rstrip("\n"))
    set_value(path, "routes.reviews.params.seed", "7", catalogue)
    assert path.read_text().endswith('x = 1"""\nseed = 7\n')


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("\n")])
def test_a_table_that_is_spread_out_is_written_anew_and_said_so(write: Write, catalogue: Catalogue, text: str) -> None:
    path = write(text)
    change = set_value(path, "routes.reviews.params", "{ seed = 1 }", catalogue)
    assert not change.comments_kept
    assert change.sentence == (
        f"Set routes.reviews.params in {path}. The file had to be rewritten, so its comments are gone."
    )
    expected = tomllib.loads(TEXT)
    expected["routes"]["reviews"]["params"] = {"seed": 1}
    assert tomllib.loads(path.read_text()) == expected


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("intake.settel", "2s", '{path}:6: [intake] settel: there is no such key here; did you mean "settle"?'),
        ("intake.settle", "soon", None),
        (
            "providers.acme.plugin",
            "opnai",
            '{path}:11: [providers.acme] plugin: there is no provider "opnai"; did you mean "openai"?',
        ),
        ("intake.settle.x", "1", "intake.settle in {path} is not a table; it cannot contain intake.settle.x."),
        ("intake", "1", None),
        ("", "1", "'' is not a key. " + HOW),
        ("a..b", "1", "'a..b' is not a key. " + HOW),
        ("a = 1 #", "1", "'a = 1 #' is not a key. " + HOW),
    ],
)
def test_what_would_break_the_config_is_not_written(
    write: Write, catalogue: Catalogue, key: str, value: str, message: str | None
) -> None:
    path = write(TEXT)
    with pytest.raises(ConfigError) as caught:
        set_value(path, key, value, catalogue)
    if message is not None:
        assert str(caught.value) == message.format(path=path)
    assert path.read_text() == TEXT
    assert os.listdir(path.parent) == ["config.toml"]


def test_a_secret_that_will_not_do_is_not_repeated(write: Write, catalogue: Catalogue) -> None:
    path = write(TEXT)
    with pytest.raises(ConfigError) as caught:
        set_value(path, "providers.acme.api_key", '["tresor-93hf"]', catalogue)
    assert "tresor" not in str(caught.value)


def test_a_literal_secret_is_warned_of_and_never_read_back(write: Write, catalogue: Catalogue) -> None:
    path = write(TEXT)
    change = set_value(path, "providers.acme.api_key", "tresor-93hf", catalogue)
    assert change.config.warnings
    assert get(path, "providers.acme.api_key") == "***"
    assert get(path, "providers.acme")["api_key"] == "***"
    assert get(path, "providers.acme")["plugin"] == "openai"


def test_the_file_keeps_its_rights_and_its_place(write: Write, catalogue: Catalogue, tmp_path: Path) -> None:
    path = write(TEXT)
    path.chmod(0o604)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    set_value(link, "intake.settle", "3s", catalogue)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert get(path, "intake.settle") == "3s"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("intake.settel", "{path} does not set intake.settel; did you mean intake.settle?"),
        ("budget.per_month", "{path} does not set budget.per_month."),
        ("intake.settle.x", "{path} does not set intake.settle.x."),
        (
            "providers.acme.prices.gpt-4.1.input",
            ('{path} does not set providers.acme.prices.gpt-4.1.input; did you mean providers.acme.prices."gpt-4.1"?'),
        ),
    ],
)
def test_what_the_file_does_not_say(write: Write, key: str, message: str) -> None:
    path = write(TEXT)
    with pytest.raises(ConfigError) as caught:
        get(path, key)
    assert str(caught.value) == message.format(path=path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2s", "2s"),
        ("3", 3),
        ("3.0", 3.0),
        ("true", True),
        ('"true"', "true"),
        ("", ""),
        ("a\nb = 2", "a\nb = 2"),
        ("1\nother = 2", "1\nother = 2"),
        ("[1, 'a']", [1, "a"]),
        ("{a = 1}", {"a": 1}),
        ("deepseek-v3.2", "deepseek-v3.2"),
        ("# nothing", "# nothing"),
    ],
)
def test_a_value_is_toml_or_else_text(text: str, value: object) -> None:
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    key=st.one_of(NAMES, st.sampled_from(["stop", "a", "b.c", '"'])),
    inner=st.none() | NAMES,
    value=VALUES,
    notation=st.sampled_from(["", "\n[routes.reviews.params.a]\nb = 1 # c\n", "a = { b = 1 } # c\n", "a.b = 1 # c\n"]),
)
@example(key="a", inner="b", value=2, notation="a.b = 1 # c\n")
@example(key="a", inner=None, value={"b": 2}, notation="a.b = 1 # c\n")
@pytest.mark.slow
def test_any_value_under_any_name_is_read_back_and_nothing_else_changes(
    tmp_path: Path, catalogue: Catalogue, key: str, inner: str | None, value: object, notation: str
) -> None:
    names = ["routes", "reviews", "params", key, *([] if inner is None else [inner])]
    path = tmp_path / "config.toml"
    path.write_text(TEXT + notation)
    data = tomllib.loads(TEXT + notation)
    table = data
    for name in names[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            return
    table[names[-1]] = value

    text = one_line(value)
    if key == "model" and inner is None:
        return
    change = set_value(path, ".".join(map(quoted, names)), text, catalogue)
    assert tomllib.loads(path.read_text()) == data
    assert change.value == value
    if change.comments_kept:
        assert "# long enough for scp" in path.read_text()


def quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def one_line(value: object) -> str:
    """A value without the line breaks that tables and lists get from tomli-w."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {one_line(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(one_line, value)) + "]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
