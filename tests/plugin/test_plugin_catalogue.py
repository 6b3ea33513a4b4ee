"""What the catalogue finds, makes and hands out."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, ClassVar

import click
import pytest

import batchd
from batchd import Secret, Settings, hookimpl
from batchd.errors import PluginError, RejectedError
from batchd.plugin.catalogue import BrokenPlugin, Catalogue, Offer, Role

from .conftest import of_others

Folder = Callable[..., Path]

SHOP = """
import batchd

class ShopSink(batchd.Sink):
    class Settings(batchd.Settings):
        path: str = "shop.db"

    async def publish(self, job, rows): ...

class ShopReader(batchd.Reader):
    suffixes = (".shop", ".till")

    def read(self, source): ...

@batchd.hookimpl
def register_sinks(register):
    register("shop", ShopSink)

@batchd.hookimpl
def register_readers(register):
    register("shop", ShopReader)
"""


class Line(batchd.Sink[Any]):
    async def publish(self, job: Any, rows: Any) -> None: ...


class Both(batchd.BatchProvider[Any]):
    class Settings(batchd.Settings):
        api_key: Secret
        places: int = 1

    async def submit(self, submission: Any) -> str:
        return ""

    async def poll(self, batch: Any) -> Any: ...

    async def results(self, batch: Any) -> AsyncIterator[Any]:
        yield


def offering(**hooks: Any) -> SimpleNamespace:
    """A plugin object that registers these: `offering(sinks={"line": Line})`."""

    def hook(kinds: dict[str, Any]) -> Any:
        @hookimpl
        def register_hook(register: Any) -> None:
            for kind, factory in kinds.items():
                register(kind, factory)

        return register_hook

    plugin = SimpleNamespace()
    for name, kinds in hooks.items():
        setattr(plugin, f"register_{name}", hook(kinds))
    return plugin


# --- What is found -----------------------------------------------------------------------------------------------


def test_entry_points_and_files_come_in_by_the_same_door(folder: Folder, installed: Any) -> None:
    installed.add("lines", offering(sinks={"line": Line}, providers={"both": Both}))
    plugin_dir = folder(shop=SHOP)
    catalogue = Catalogue.load(plugin_dir)
    assert catalogue.broken == ()
    assert [(each.role, each.kind, each.plugin, each.distribution, each.where) for each in of_others(catalogue)] == [
        ("reader", "shop", "shop", "", str(plugin_dir / "shop.py")),
        ("provider", "both", "lines", "batchd-lines 1.2", "batchd_lines"),
        ("sink", "line", "lines", "batchd-lines 1.2", "batchd_lines"),
        ("sink", "shop", "shop", "", str(plugin_dir / "shop.py")),
    ]
    assert catalogue.kinds(Role.SINK) == ["line", "shop"]
    assert catalogue.kinds("prompt_builder") == []
    assert catalogue.factory("sink", "line") is Line
    assert isinstance(catalogue.find("sink", "shop"), Offer)
    assert catalogue.find("sink", "csv") is None


def test_plugins_share_a_module_beside_them(folder: Folder) -> None:
    sharing = """
        from _shared import KIND
        from _kit.deep import also
        from batchd import hookimpl

        class Sink: ...

        @hookimpl
        def register_sinks(register):
            register(KIND + also + __name__[-1], Sink)
    """
    plugin_dir = folder(a=sharing, b=sharing, _shared="KIND = 'one'")
    (plugin_dir / "_kit").mkdir()
    (plugin_dir / "_kit" / "__init__.py").write_text("from _shared import KIND")
    (plugin_dir / "_kit" / "deep.py").write_text("from . import KIND\nalso = '-' + KIND + '-'")
    assert Catalogue.load(plugin_dir).kinds("sink") == ["one-one-a", "one-one-b"]
    # Changed, it is read again with them.
    folder(_shared="KIND = 'two, longer'.partition(',')[0]")
    assert Catalogue.load(plugin_dir).kinds("sink") == ["two-two-a", "two-two-b"]


def test_a_shared_module_is_for_its_folder_alone_and_takes_nobodys_name(folder: Folder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shop = f"import _shared, json, _thread\n{dedent(SHOP)}"
    folder(_shared="x = 1", json="raise SystemExit", _thread="raise SystemExit", shop=shop)
    assert [each.plugin for each in Catalogue.load(tmp_path).broken] == ["json"]
    (other / "shop.py").write_text(shop)
    [broken] = Catalogue.load(other).broken
    assert "_shared" in broken.reason
    assert not Catalogue.load(None).broken
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("_shared")


def test_a_shared_module_that_is_broken_is_named(folder: Folder) -> None:
    [broken] = Catalogue.load(folder(shop="import _shared", _shared="x = 1 / 0")).broken
    assert "ZeroDivisionError" in broken.reason
    assert "_shared.py, line 1" in broken.reason


def test_shared_modules_and_leftovers_are_no_plugins(folder: Folder) -> None:
    plugin_dir = folder(shop=SHOP, _shared="raise SystemExit")
    (plugin_dir / ".shop.py").write_text("raise SystemExit")
    (plugin_dir / "notes.txt").write_text("hello")
    catalogue = Catalogue.load(plugin_dir)
    assert [offer.plugin for offer in of_others(catalogue)] == ["shop", "shop"]
    assert catalogue.broken == ()


def test_a_plugin_folder_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    assert of_others(Catalogue.load(tmp_path / "none")) == []
    assert of_others(Catalogue.load(None)) == []


def test_an_object_with_hooks_is_a_plugin_too(installed: Any) -> None:
    class Plugin:
        @hookimpl
        def register_sinks(self, register: Any) -> None:
            register("line", Line)

    installed.add("lines", Plugin())
    assert Catalogue.load().kinds("sink") == ["line"]


def test_a_hook_is_called_only_when_its_role_is_asked_for(installed: Any) -> None:
    called = []

    @hookimpl
    def register_sinks(register: Any) -> None:
        called.append("sinks")

    @hookimpl
    def register_providers(register: Any) -> None:
        called.append("providers")

    installed.add("slow", SimpleNamespace(register_sinks=register_sinks, register_providers=register_providers))
    catalogue = Catalogue.load()
    assert called == []
    catalogue.kinds("sink")
    catalogue.kinds("sink")
    assert called == ["sinks"]


def test_readers_are_found_by_suffix(folder: Folder) -> None:
    catalogue = Catalogue.load(folder(shop=SHOP))
    assert catalogue.reader_for(".till") == "shop"
    assert catalogue.reader_for(".TILL") == "shop"
    assert catalogue.reader_for(".csv") is None
    assert catalogue.reader_for("") is None
    assert catalogue.suffixes() == [".shop", ".till"]


def test_commands_are_handed_out_by_name(installed: Any) -> None:
    command = click.Command("greet")
    installed.add("greeter", offering(commands={"greet": lambda: command}))
    commands = Catalogue.load().commands()
    assert list(commands) == ["greet"]
    assert commands["greet"]() is command


def test_pickled_it_is_only_the_recipe(folder: Folder) -> None:
    catalogue = Catalogue.load(folder(shop=SHOP), tolerant=True)
    assert catalogue.kinds("sink") == ["shop"]
    pickled = pickle.dumps(catalogue)
    assert len(pickled) < 300
    folder(more=SHOP.replace("shop", "more").replace(".till", ".rest"))
    assert pickle.loads(pickled).kinds("sink") == ["more", "shop"]


def test_importing_the_catalogue_is_cheap() -> None:
    heavy = {"pydantic", "openai", "msgspec", "click", "rich", "jinja2", "asyncio"}
    code = f"import sys, batchd.plugin.catalogue; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- What is made ------------------------------------------------------------------------------------------------


def test_an_object_is_made_from_checked_settings(folder: Folder) -> None:
    catalogue = Catalogue.load(folder(shop=SHOP))
    assert catalogue.create("sink", "shop", {}).settings.path == "shop.db"
    assert catalogue.create(Role.SINK, "shop", {"path": "x"}).settings.path == "x"


def test_a_function_is_a_factory_with_or_without_settings(installed: Any) -> None:
    def plain(settings: Settings) -> Line:
        assert type(settings) is Settings
        return Line(settings)

    class Table(Settings):
        depth: int

    def deep(settings: Table) -> Line:
        assert settings.depth == 3
        return Line(settings)

    deep.Settings = Table  # type: ignore[attr-defined]
    installed.add("lines", offering(sinks={"plain": plain, "deep": deep}))
    catalogue = Catalogue.load()
    assert catalogue.settings_type("sink", "plain") is Settings
    assert catalogue.settings_type("sink", "deep") is Table
    assert isinstance(catalogue.create("sink", "plain", {}), Line)
    assert isinstance(catalogue.create("sink", "deep", {"depth": 3}), Line)


class Abstract(batchd.Sink[Any]):
    pass


class Raising(Line):
    def __init__(self, settings: Any) -> None:
        raise RuntimeError("no ink")


class Keyless(Line):
    def __init__(self, settings: Any) -> None:
        raise RejectedError("The environment variable X is not set.")


class Odd(Line):
    Settings: ClassVar[Any] = dict  # type: ignore[misc]


async def awaited(settings: Any) -> Any:
    return Line(settings)


def of_python(abstract: type[Any]) -> str:
    """What Python says when an abstract class is made: the words change from version to version."""
    with pytest.raises(TypeError, match=f"abstract class {abstract.__name__}") as caught:
        abstract(Settings())
    return str(caught.value)


@pytest.mark.parametrize(
    ("role", "factory", "settings", "message"),
    [
        (
            "provider",
            Both,
            {"api_kye": "tresor-93hf", "places": "x"},
            (
                "cannot use its settings: api_key: is missing; places: should be a whole number; "
                'api_kye: there is no such key here; did you mean "api_key"?'
            ),
        ),
        (
            "sink",
            Abstract,
            {},
            f"could not be made: TypeError: {of_python(Abstract)}.",
        ),
        ("sink", lambda settings: Both(settings), {}, "breaks its contract: it makes Both, not Sink."),
        (
            "provider",
            lambda settings: Line(settings),
            {},
            "breaks its contract: it makes Line, not BatchProvider or LiveProvider.",
        ),
        ("reader", lambda settings: None, {}, "breaks its contract: it makes NoneType, not Reader."),
        ("observer", lambda settings: Line(settings), {}, "breaks its contract: it makes Line, not Observer."),
        (
            "prompt_builder",
            lambda settings: Line(settings),
            {},
            "breaks its contract: it makes Line, not PromptBuilder.",
        ),
        ("sink", awaited, {}, "is made by an async function: write a plain def."),
        ("sink", Odd, {}, "has Settings that are not a subclass of batchd.Settings."),
    ],
)
def test_what_cannot_be_made_names_its_plugin(
    installed: Any, role: str, factory: Any, settings: dict[str, Any], message: str
) -> None:
    installed.add("shop", offering(**{f"{role}s": {"till": factory}}))
    with pytest.raises(PluginError) as caught:
        Catalogue.load().create(role, "till", settings)
    noun = role.replace("_", " ")
    assert str(caught.value) == f'The {noun} "till" (the plugin "shop" of batchd-shop 1.2) {message}'
    assert "tresor" not in str(caught.value)


def test_a_plugin_that_raises_while_it_is_made_is_named_with_the_line(installed: Any) -> None:
    installed.add("shop", offering(sinks={"till": Raising}))
    with pytest.raises(
        PluginError, match=r"could not be made: RuntimeError: no ink \(test_plugin_catalogue.py, line \d+\)."
    ):
        Catalogue.load().create("sink", "till", {})


def test_an_error_in_batchds_own_words_passes_through(installed: Any) -> None:
    installed.add("shop", offering(sinks={"till": Keyless}))
    with pytest.raises(RejectedError, match="The environment variable X is not set"):
        Catalogue.load().create("sink", "till", {})


def test_a_kind_that_nobody_offers(installed: Any) -> None:
    installed.add("lines", offering(sinks={"line": Line}))
    catalogue = Catalogue.load()
    for ask in (catalogue.factory, catalogue.settings_type):
        with pytest.raises(PluginError) as caught:
            ask("sink", "lime")
        assert str(caught.value) == 'There is no sink "lime". There are: line.'
    with pytest.raises(PluginError) as caught:
        catalogue.create("prompt_builder", "x", {})
    assert str(caught.value) == 'There is no prompt builder "x". There are: none.'


def test_a_role_that_does_not_exist_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="painter"):
        Catalogue.load().kinds("painter")


# --- The built-in ones -------------------------------------------------------------------------------------------

BUILT_IN = [
    ("reader", "csv"),
    ("reader", "jsonl"),
    ("sink", "csv"),
    ("sink", "jsonl"),
    ("prompt_builder", "template"),
    ("prompt_builder", "passthrough"),
    ("provider", "openai"),
    ("command", "sandbox"),
]


def test_the_built_in_plugins_come_in_by_their_entry_points(real_plugins: None) -> None:
    catalogue = Catalogue.load()
    assert [broken.sentence for broken in catalogue.broken] == []
    offers = {each: catalogue.find(*each) for each in BUILT_IN}
    ours = {each for each, offer in offers.items() if offer and offer.distribution == f"batchd {batchd.__version__}"}
    assert ours == set(BUILT_IN)
    assert (catalogue.reader_for(".csv"), catalogue.reader_for(".jsonl")) == ("csv", "jsonl")


def test_broken_plugins_speak_in_sentences() -> None:
    broken = BrokenPlugin("shop", "", "/p/shop.py", "it cannot be imported: ValueError")
    assert broken.sentence == 'The plugin "shop" of /p/shop.py is broken: it cannot be imported: ValueError.'
