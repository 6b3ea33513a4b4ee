"""Requests with a pattern are written many at a time: to the same bytes as those that are built one by one."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchd.answers.joining import ResultLine
from batchd.domain import rows
from batchd.domain.routing import PluginSpec
from batchd.errors import PluginError
from batchd.model import BadRow, Failure, Json
from batchd.store.answer_cache import AnswerCache, RequestKeys
from batchd.store.errors import StoreUnavailable
from batchd.values import replace
from batchd.work.part_files import requests_of, write_results
from batchd.work.planning.identical_rows import CompareTask, Planned, compare, read_follows, write_follows
from batchd.work.planning.pattern import _SHOWN, pattern_of
from batchd.work.planning.plan import PlanTask, plan
from batchd.work.planning.reuse import Reuse, key_records, read_keys
from batchd.workers import worker_plugins

from .conftest import plan_task

PLUGINS = '''
from batchd import PromptBuilder, Settings, hookimpl
from batchd_prompts.template import TemplateBuilder


class OneByOne(TemplateBuilder):
    """The template builder without its pattern."""

    def pattern(self, cell):
        return None


class Own(PromptBuilder):
    """A third party's builder with a pattern."""

    class Settings(Settings):
        way: str = "good"

    def build(self, row):
        return {"messages": [{"role": "user", "content": f"Is {row['text']} of {row['id']} <cell-0-0> or %d good?"}]}

    def pattern(self, cell):
        way = self.settings.way
        if way == "shouts":
            return {"messages": [{"role": "user", "content": cell("text").upper()}]}
        if way == "key":
            return {"messages": [{"role": "user", "content": "Hi"}], "metadata": {cell("text"): "x"}}
        if way == "forgets":
            cell("id")
            return {"messages": [{"role": "user", "content": cell("text")}]}
        if way == "role":
            return {"messages": [{"role": "", "content": cell("text")}]}
        if way == "picture":
            return {"messages": [{"role": "user", "content": [{"image_url": {"url": cell("text")}}]}]}
        return {
            "messages": [{"role": "user", "content": f"Is {cell('text')} of {cell('id')} <cell-0-0> or %d good?"}]
        }


class Derived(TemplateBuilder):
    """Changes what is asked, and knows nothing of patterns."""

    def build(self, row):
        return {"messages": [{"role": "user", "content": "Anything"}]}

    encode = PromptBuilder.encode


class OwnOneByOne(Own):
    def pattern(self, cell):
        return None


@hookimpl
def register_prompt_builders(register):
    register("one_by_one", OneByOne)
    register("derived", Derived)
    register("own", Own)
    register("own_one_by_one", OwnOneByOne)
'''


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pattern_plugins")
    (folder / "pattern.py").write_text(PLUGINS)
    return str(folder)


BY_HAND = [
    "",
    " ",
    "a",
    "\u200b",
    "\u2028",
    'a\u2029"',
    "\x85",
    '",',
    "\\",
    '"',
    "é",
    "ấm",
    "”",
    "\n",
    "\0",
    "中",
    "a",
    "{{ text }}",
]
TEXT = st.sampled_from(BY_HAND) | st.text(st.characters(codec="utf-8"), max_size=9) | st.just("long " * 40)
CELL: st.SearchStrategy[Json] = TEXT | st.none() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
CELL |= st.sampled_from([True, [], ["a", "b"], {"a": "b"}])
BAD = st.just(BadRow(["!"], Failure("odd", "This record is odd.")))
ROW: st.SearchStrategy[Any] = st.tuples(TEXT, TEXT).map(list) | st.tuples(CELL, CELL).map(list) | BAD
PROMPTS = st.sampled_from(
    [
        {"user": "Review: {{ text }}"},
        {"user": "{{ text }}", "system": "You \u2028 are “good”, 100% <cell-0-0>."},
        {"user": "{{ id }}: {{ text }} ({{ id }})", "system": "About {{ text }}"},
        {"user": "The same for all"},
    ]
)
COMMON = st.sampled_from(
    [{"max_tokens": 5, "temperature": 0}, {"a": {"z": 1, "b": "\u2028"}}, {"n": 2, "max_tokens": 3}]
)
QUICK = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def planned(folder: Path, task: PlanTask) -> tuple[Any, ...]:
    """What a plan says, what it leaves, and the keys of rows that follow others and of those that they follow."""
    names = ("requests.jsonl", "results.1.jsonl")
    for name in names:
        (folder / name).unlink(missing_ok=True)
    done = plan(task)
    left = {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}
    followers = read_keys(str(folder / "keys")).followers
    told = {*followers, *followers.values()}
    return done, left, followers, {row: key for row, key in key_records(folder / "keys") if row in told}


def task(folder: Path, records: Sequence[Any], prompt: PluginSpec, **more: Any) -> PlanTask:
    own = {"first": 7, "common": {"model": "small", "max_tokens": 5}, "model": "small"}
    return plan_task(folder, records, prompt, **(own | more))


@given(
    st.lists(ROW, max_size=12),
    PROMPTS,
    COMMON,
    st.booleans(),
    st.none() | st.integers(190, 400),
    st.sets(st.integers(7, 19), max_size=3),
    st.sets(st.integers(7, 19), max_size=3),
    st.sets(st.integers(7, 19), max_size=3),
    st.sampled_from(["all", "cold", "each", None]),
)
@QUICK
def test_a_template_comes_to_the_same_bytes_in_both_ways(
    tmp_path: Path,
    plugins: str,
    records: list[Any],
    prompt: dict[str, Any],
    common: dict[str, Any],
    skip_empty: bool,
    most: int | None,
    settled: set[int],
    follow: set[int],
    given_up: set[int],
    once: str | None,
) -> None:
    write_results(tmp_path / "settled", [ResultLine(row, True, ["good"]) for row in sorted(settled)])
    write_follows(str(tmp_path / "follows"), dict.fromkeys(follow, 0))
    reuse = Reuse("p", str(tmp_path / "keys"), all=once == "all", each=once == "each") if once else None
    many = task(
        tmp_path,
        records,
        PluginSpec("template", prompt, plugin_dir=plugins),
        common={"model": "small", **common},
        settled=str(tmp_path / "settled"),
        skip_empty=skip_empty,
        max_line_bytes=most,
        follows=str(tmp_path / "follows"),
        given_up={row: Failure("hung", "It hung.") for row in given_up},
        reuse=reuse,
    )
    single = replace(many, builder=PluginSpec("one_by_one", prompt, plugin_dir=plugins))
    assert planned(tmp_path, many) == planned(tmp_path, single)


TEXTS = st.sampled_from(["a", "b", "c", "", "x" * 300])
FEW = st.tuples(st.just("1"), TEXTS).map(list)


@given(st.lists(FEW, min_size=1, max_size=14), st.integers(1, 5), st.integers(1, 30), PROMPTS, st.booleans())
@QUICK
def test_rows_of_several_parts_that_ask_the_same_are_found_in_both_ways(
    tmp_path: Path, plugins: str, records: list[Any], part_rows: int, at_once: int, prompt: dict[str, Any], more: bool
) -> None:
    found = []
    for kind in ("template", "one_by_one"):
        parts = []
        for first in range(0, len(records), part_rows):
            folder = tmp_path / f"{kind}.{first}"
            folder.mkdir(exist_ok=True)
            (folder / "follows").unlink(missing_ok=True)
            part = Planned(
                first, part_rows, *(str(folder / name) for name in ("keys", "follows", "prints", "requests.jsonl"))
            )
            reuse = Reuse("p", part.keys, prints=part.prints)
            spec = PluginSpec(kind, prompt, plugin_dir=plugins)
            plan(task(folder, records[first : first + part_rows], spec, first=first, reuse=reuse, skip_empty=True))
            parts.append(part)
        leaders = tmp_path / f"{kind}.leaders"
        leaders.unlink(missing_ok=True)
        comparing = CompareTask(parts, str(leaders), more, "p", "/v1/chat/completions")
        again = compare(comparing, keys_at_once=at_once)
        kept = sorted(key_records(leaders))
        found.append((again, [read_follows(part.follows) for part in parts], kept))
        assert compare(comparing, keys_at_once=at_once) == again
    assert found[0] == found[1]


def test_prints_of_two_processes_are_not_compared(tmp_path: Path, plugins: str) -> None:
    # Hashes differ from one process to the next; and two texts may have the same one.
    parts = []
    for first, prints in ((0, [7, 1, 2]), (2, [8, 3, 4]), (4, [7, 1, 2])):
        folder = tmp_path / str(first)
        folder.mkdir()
        part = Planned(first, 2, *(str(folder / name) for name in ("keys", "follows", "prints", "requests.jsonl")))
        records = [["1", "same"], ["1", f"other {first}"]]
        plan(task(folder, records, PluginSpec("template", {"user": "{{ text }}"}, plugin_dir=plugins), first=first))
        Path(part.prints or "").write_bytes(array("q", prints).tobytes())
        parts.append(part)
    assert compare(CompareTask(parts, str(tmp_path / "leaders"))) == [2, 4]
    assert [read_follows(part.follows) for part in parts] == [{}, {2: 0}, {4: 0}]
    assert compare(CompareTask([parts[0], parts[2]], str(tmp_path / "leaders"))) == [4]
    assert read_follows(parts[2].follows) == {4: 0}, "the same print alone is no reason"


def test_thousands_of_rows_come_to_the_same_bytes(tmp_path: Path, plugins: str) -> None:
    records: list[Any] = [[str(number), f'Review {number % 2_500} "quoted", ngon quá'] for number in range(4_000)]
    records[1_500] = BadRow(["!"], Failure("odd", "This record is odd."))
    records[2_600] = [None, 5]
    reuse = Reuse("p", str(tmp_path / "keys"))
    prompt = {"user": "{{ text }}"}
    many = task(tmp_path, records, PluginSpec("template", prompt, plugin_dir=plugins), reuse=reuse, skip_empty=True)
    single = replace(many, builder=PluginSpec("one_by_one", prompt, plugin_dir=plugins))
    assert planned(tmp_path, many) == planned(tmp_path, single)


@pytest.mark.parametrize("once", ["all", "each"])
def test_rows_that_were_asked_ahead_get_their_answers_in_both_ways(tmp_path: Path, plugins: str, once: str) -> None:
    records: list[Any] = [[str(number), f"Review {number % 40}"] for number in range(60)]
    prompt = {"user": "{{ text }}"}
    single = task(tmp_path, records, PluginSpec("one_by_one", prompt, plugin_dir=plugins))
    plan(single)
    message = {"choices": [{"message": {"content": "good"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    line = {"custom_id": "old-1", "response": {"status_code": 200, "body": message}, "error": None}
    keys = RequestKeys("p", "/v1/chat/completions")
    asked = [keys.key(body) for _, body in list(requests_of(Path(single.requests)))[::3]]
    with AnswerCache.opened(tmp_path / "ahead") as book:
        book.keep([(key, msgspec.json.encode(line)) for key in asked], at=50.0)
    reuse = Reuse("p", str(tmp_path / "keys"), all=once == "all", each=once == "each", ahead=str(tmp_path / "ahead"))
    single = replace(single, reuse=reuse)
    found = planned(tmp_path, replace(single, builder=PluginSpec("template", prompt, plugin_dir=plugins)))
    assert found == planned(tmp_path, single)
    assert 15 < found[0].reused < 60


@pytest.mark.parametrize("kind", ["template", "one_by_one"])
def test_a_copy_of_answers_that_is_gone_asks_no_row_again(tmp_path: Path, plugins: str, kind: str) -> None:
    reuse = Reuse("p", str(tmp_path / "keys"), ahead=str(tmp_path / "ahead-1.db"), ahead_is_copy=True)
    prompt = PluginSpec(kind, {"user": "{{ text }}"}, plugin_dir=plugins)
    with pytest.raises(StoreUnavailable):
        plan(replace(task(tmp_path, [["1", "Good"]], prompt), reuse=reuse))
    assert not (tmp_path / "ahead-1.db").exists()


@given(st.lists(ROW, max_size=8))
@QUICK
def test_a_builder_of_somebody_else_has_it_too(tmp_path: Path, plugins: str, records: list[Any]) -> None:
    records = [each for each in records if isinstance(each, BadRow) or all(isinstance(cell, str) for cell in each)]
    many = task(tmp_path, records, PluginSpec("own", {}, plugin_dir=plugins))
    single = replace(many, builder=PluginSpec("own_one_by_one", {}, plugin_dir=plugins))
    assert planned(tmp_path, many) == planned(tmp_path, single)


@pytest.mark.parametrize("way", ["shouts", "key", "forgets"])
def test_a_pattern_that_does_more_than_place_texts_is_refused(tmp_path: Path, plugins: str, way: str) -> None:
    with pytest.raises(PluginError, match="Own breaks its contract: its `pattern` does more than place texts"):
        plan(task(tmp_path, [["1", "a"]], PluginSpec("own", {"way": way}, plugin_dir=plugins)))


@pytest.mark.parametrize("way", ["role", "picture"])
def test_what_a_rule_or_a_picture_needs_is_built_one_by_one(plugins: str, way: str) -> None:
    builder = worker_plugins.builder(PluginSpec("own", {"way": way}, plugin_dir=plugins))
    assert pattern_of(builder, ["id", "text"], {"model": "small"}, "/v1/chat/completions") is None
    assert pattern_of(builder, ["id"], {"model": "small"}, "/v1/chat/completions") is None, "it lacks a column"


def test_a_text_with_such_a_beginning_shows_something() -> None:
    places = [*range(0x80), *range(0xC0, 0x2C0), *range(0x400, 0x480), *range(0x4000, 0xA000)]
    certain = [char for char in map(chr, places) if char.encode()[0] in _SHOWN]
    assert len(certain) > 20_000
    assert [char for char in certain if rows.shows_nothing(char)] == []


def test_the_pattern_of_a_base_is_not_that_of_a_builder_that_asks_something_else(tmp_path: Path, plugins: str) -> None:
    plan(task(tmp_path, [["1", "a"]], PluginSpec("derived", {"user": "{{ text }}"}, plugin_dir=plugins)))
    assert b'"content":"Anything"' in (tmp_path / "requests.jsonl").read_bytes()
