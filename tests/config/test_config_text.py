"""Where keys stand in a TOML text."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from batchd.config.toml import parse, parse_key
from batchd.domain.words import Keys, show_key

TEXT = """\
top = 1
'quoted "x"' = 2

[a]
b.c = "# no comment" # a comment
long = '''
[not.a.header]
x = "'''
list = [
  1, # one
  [2, "]"],
]
[ a . "d.e" ]
f = {g = 1, h = [{i = 2}]}
quotes = QUOTES
[[many]]
x = 1
[[many]]
x = 2
[many.sub]
y = 3
""".replace("QUOTES", r'""" "hi\\"""""')


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("top",), 1),
        (('quoted "x"',), 2),
        (("a",), 4),
        (("a", "b"), 5),
        (("a", "b", "c"), 5),
        (("a", "long"), 6),
        (("a", "list"), 9),
        (("a", "list", 1), 9),
        (("a", "d.e"), 13),
        (("a", "d.e", "f", "g"), 14),
        (("a", "d.e", "quotes"), 15),
        (("many", 0, "x"), 17),
        (("many", 1, "x"), 19),
        (("many", 1, "sub", "y"), 21),
        (("many", 1, "sub", "z"), 20),
        (("a", "nothing"), 4),
        (("nothing", "at", "all"), 1),
    ],
)
def test_the_line_of_a_key(keys: Keys, line: int) -> None:
    assert parse(TEXT, Path("x")).line(keys) == line


def test_values_are_found_to_their_last_character() -> None:
    document = parse(TEXT, Path("x"))
    values = {show_key(each.keys): TEXT[each.value : each.end] for each in document.statements if not each.header}
    assert values["a.b.c"] == '"# no comment"'
    assert values["a.long"] == "'''\n[not.a.header]\nx = \"'''"
    assert values["a.list"] == '[\n  1, # one\n  [2, "]"],\n]'
    assert values['a."d.e".f'] == "{g = 1, h = [{i = 2}]}"
    assert values['a."d.e".quotes'] == r'""" "hi\\"""""'
    assert values["many.sub.y"] == "3"


def paths(data: object, keys: Keys = ()) -> list[Keys]:
    """Every way to a value that is no table."""
    if isinstance(data, dict):
        return [path for key, value in data.items() for path in paths(value, (*keys, key))]
    return [keys]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.one_of(
    st.integers(-5, 5),
    st.booleans(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.dates(),
    st.datetimes().map(lambda moment: moment.replace(fold=0)),
    st.lists(st.text("\"'\\#[]{}=\n x", max_size=6), max_size=3),
)
TABLES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4), lambda inner: st.dictionaries(NAMES, inner | LEAVES, max_size=4)
)


@given(data=TABLES, multiline=st.booleans(), comment=st.sampled_from(["", " # ] } \" '", "\t"]))
def test_every_statement_of_every_text_is_found(data: dict[str, object], multiline: bool, comment: str) -> None:
    text = tomli_w.dumps(data, multiline_strings=multiline)
    document = parse(text, Path("x"))
    assert {each.keys for each in document.statements if not each.header} == set(paths(data))
    for each in document.statements:
        assert text.count("\n", 0, each.start) + 1 == each.line
        if not each.header:
            found = tomllib.loads(f"x = {text[each.value : each.end]}{comment}")["x"]
            wanted: object = data
            for key in each.keys:
                wanted = wanted[key]  # type: ignore[index]
            assert repr(found) == repr(wanted)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_key_shown_is_the_key_parsed(names: list[str]) -> None:
    assert parse_key(show_key(tuple(names))) == tuple(names)
