"""Which route takes a file; a route that was kept with a job comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchd.domain.routing import NO_ROUTE, PluginSpec, Route, matches, no_route_reason, route_for

NAMES = st.text(alphabet="abc.-_ éñ", min_size=1, max_size=6)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def route(name: str, *match: str) -> Route:
    """A route of which only the patterns matter."""
    return Route(name=name, match=match, provider="acme", model="small", prompt=PluginSpec("template"))


@pytest.mark.parametrize(
    ("path", "pattern", "taken"),
    [
        ("reviews/may.csv", "reviews/**", True),
        ("reviews/2026/05/may.csv", "reviews/**", True),
        ("reviews", "reviews/**", False),  # the file called like the folder is not in the folder
        ("old-reviews/may.csv", "reviews/**", False),
        ("reviewsmay.csv", "reviews/**", False),
        ("a/b/reviews/may.csv", "reviews/**", False),
        ("a/b/reviews/may.csv", "**/reviews/**", True),
        ("reviews/may.csv", "**/reviews/**", True),
        ("may.csv", "**/*.csv", True),
        ("a/b/may.csv", "**/*.csv", True),
        ("a/b/may.jsonl", "**/*.csv", False),
        ("a/x/y/b.csv", "a/**/b.csv", True),
        ("a/b.csv", "a/**/b.csv", True),
        ("a/b.csv/c", "a/**/b.csv", False),
        ("a/may.csv", "a/*.csv", True),
        ("a/b/may.csv", "a/*.csv", False),  # a single star stays in its folder
        ("a/b/review-1.csv", "*review*.csv", True),  # without a slash the name alone is looked at
        ("review/b.csv", "*review*.csv", False),
        ("may.csv", "*", True),
        ("a/b/may.csv", "**", True),
        ("May.csv", "may.csv", False),
        ("a/[1].csv", "a/[[]1].csv", True),
        ("a/?.csv", "a/?.csv", True),
        ("a/xy.csv", "a/?.csv", False),
    ],
)
def test_a_pattern_takes_these_paths(path: str, pattern: str, taken: bool) -> None:
    assert matches(path, pattern) is taken


@given(PATHS)
def test_a_path_without_wildcards_is_taken_by_itself_alone(path: str) -> None:
    assert matches(f"x/{path}", f"x/{path}")
    assert not matches(f"x/{path}", f"x/{path}z")
    assert not matches(f"y/{path}", f"x/{path}")


@given(PATHS, PATHS)
def test_two_stars_take_everything_below_a_folder_and_nothing_else(folder: str, path: str) -> None:
    assert matches(f"{folder}/{path}", f"{folder}/**")
    assert not matches(folder, f"{folder}/**")
    assert matches(f"{folder}/{path}", f"**/{path}")


@given(PATHS, st.lists(st.sampled_from(["*", "**", "*.csv", "a*", "*/a*", "**/b", "a/**", "nothing"]), max_size=6))
def test_the_first_route_of_the_config_with_a_fitting_pattern_wins(path: str, patterns: list[str]) -> None:
    routes = [route(str(number), pattern) for number, pattern in enumerate(patterns)]
    fitting = [each for each in routes if matches(path, each.match[0])]
    assert route_for(path, routes) is (fitting[0] if fitting else None)


def test_any_pattern_of_a_route_will_do() -> None:
    reviews = route("reviews", "reviews/**", "*review*.csv")
    assert route_for("inbox/my review.csv", [reviews]) is reviews


def test_without_a_route_the_reason_names_every_place_there_is() -> None:
    reason = no_route_reason("may.csv", [route("reviews", "reviews/**", "*review*"), route("mail", "mail/**")])
    assert reason.startswith(
        "Files of this name are not processed directly in the inbox. Put the file into the folder reviews or mail."
    )
    assert "reviews takes reviews/** or *review*" in reason
    assert "mail takes mail/**" in reason


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TABLES = st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=3)


@settings(deadline=None)
@given(params=TABLES, prompt=TABLES, reader=st.none() | TABLES, reuse=st.none() | st.floats(0, 1e9))
def test_a_snapshot_survives_json(params: Any, prompt: Any, reader: Any, reuse: float | None) -> None:
    before = Route(
        name="reviews",
        match=("reviews/**",),
        provider="acme",
        model="small",
        prompt=PluginSpec("template", prompt),
        params=params,
        sinks=("csv", "warehouse"),
        reader=None if reader is None else PluginSpec("csv", reader),
        reuse=reuse,
    )
    assert Route.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_a_snapshot_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    record = route("reviews", "reviews/**").to_json() | {"colour": "green"}
    assert Route.from_json(record).name == "reviews"


def test_no_route_is_recognized_after_it_was_stored() -> None:
    stored = Route.from_json(json.loads(json.dumps(NO_ROUTE.to_json())))
    # Or a file that no route takes would not be rejected in words, but wait for a plugin without a name.
    assert stored == NO_ROUTE


def test_every_body_gets_the_model_and_the_params() -> None:
    assert route("reviews").common_body() == {"model": "small"}
    asked = Route.from_json(route("reviews").to_json() | {"params": {"max_tokens": 50}})
    assert asked.common_body() == {"model": "small", "max_tokens": 50}
