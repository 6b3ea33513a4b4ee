"""Plugins that do it wrong: each is named, and the good one beside it goes on working."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchd.errors import PluginError
from batchd.plugin.catalogue import Catalogue

from .conftest import of_others

Folder = Callable[..., Path]

GOOD = """
import batchd

class GoodSink(batchd.Sink):
    async def publish(self, job, rows): ...

@batchd.hookimpl
def register_sinks(register):
    register("good", GoodSink)
"""
HOOK = "import batchd\n@batchd.hookimpl\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such", "it cannot be imported: ModuleNotFoundError: No module named 'no_such' (bad.py, line 1)"),
        ("x = (", "it cannot be imported: SyntaxError: '(' was never closed (bad.py, line 1)"),
        ("raise SystemExit(3)", "it cannot be imported: SystemExit: 3 (bad.py, line 1)"),
        ("\n\n1 / 0", "it cannot be imported: ZeroDivisionError: division by zero (bad.py, line 3)"),
        ("assert False", "it cannot be imported: AssertionError (bad.py, line 1)"),
        ("raise KeyError('sk-abcdefghijklmnop')", "it cannot be imported: KeyError: 'sk-…' (bad.py, line 1)"),
        ("x = 1", "it has no hooks: mark its functions with @batchd.hookimpl"),
        ("def register_sinks(register): ...", "it has no hooks: mark its functions with @batchd.hookimpl"),
        (
            HOOK + "async def register_sinks(register): ...",
            "its hook register_sinks is async, so it would never be awaited: write a plain def",
        ),
        (
            HOOK + "async def register_sinks(register): yield",
            "its hook register_sinks is async, so it would never be awaited: write a plain def",
        ),
        (
            HOOK + "def register_sinks(register): yield",
            "its hook register_sinks contains yield, so it would never run: write a plain def",
        ),
        (
            HOOK + "def register_sinks(reg): ...",
            "its hook register_sinks(reg) does not fit: a hook takes one argument, register",
        ),
        (
            HOOK + "def register_sinks(register, config): ...",
            "its hook register_sinks(register, config) does not fit: a hook takes one argument, register",
        ),
        (
            HOOK + "def register_sinks(): ...",
            "its hook register_sinks does not fit: a hook takes one argument, register",
        ),
        (
            HOOK + "def register_sink(register): ...",
            "its hook register_sink is not one that batchd knows (did you mean register_sinks?)",
        ),
        (HOOK + "def begin(register): ...", "its hook begin is not one that batchd knows"),
        (
            HOOK + "def register_sinks(register): raise ValueError('no\\nluck')",
            "its hook register_sinks raised ValueError: no luck (bad.py, line 3)",
        ),
        (
            HOOK + "def register_sinks(register): exit(1)",
            "its hook register_sinks raised SystemExit: 1 (bad.py, line 3)",
        ),
        (
            HOOK + "def register_sinks(register): register('a b', print)",
            "it registers the sink 'a b', which is no name: use letters, digits and .+-_",
        ),
        (
            HOOK + "def register_sinks(register): register(print, 'a')",
            "it registers the sink <built-in function print>, which is no name: use letters, digits and .+-_",
        ),
        (
            HOOK + "def register_sinks(register): register('a', 'b')",
            "it registers the sink \"a\" with 'b', which cannot be called",
        ),
        (
            HOOK + "def register_sinks(register): register('a', print); register('a', print)",
            'it registers the sink "a" twice',
        ),
        (
            "class R: suffixes = ('.CSV',)\n" + HOOK + "def register_readers(register): register('a', R)",
            'the suffixes of its reader "a" must be a tuple such as (".csv",), in lower case',
        ),
        (
            "class R: suffixes = '.csv'\n" + HOOK + "def register_readers(register): register('a', R)",
            'the suffixes of its reader "a" must be a tuple such as (".csv",), in lower case',
        ),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_broken_plugin_is_named_and_stops_no_other(folder: Folder, source: str, reason: str) -> None:
    plugin_dir = folder(bad=source, good=GOOD)
    catalogue = Catalogue.load(plugin_dir)
    (broken,) = catalogue.broken
    assert (broken.plugin, broken.where, broken.reason) == ("bad", str(plugin_dir / "bad.py"), reason)
    assert [offer.kind for offer in of_others(catalogue)] == ["good"]
    assert catalogue.create("sink", "good", {}) is not None


def test_a_broken_entry_point_is_named_with_its_distribution(installed: Any, folder: Folder) -> None:
    installed.add("shop", ImportError("no till"), distribution="acme-shop", value="acme.shop:plugin")
    (broken,) = Catalogue.load(folder(good=GOOD)).broken
    assert broken.sentence.startswith(
        'The plugin "shop" of acme-shop 1.2 is broken: it cannot be imported: ImportError: no till ('
    )


def test_being_interrupted_is_not_the_plugins_fault(folder: Folder) -> None:
    with pytest.raises(KeyboardInterrupt):
        Catalogue.load(folder(bad="raise KeyboardInterrupt"))


@pytest.mark.field("neighbours")
def test_a_missing_kind_does_not_list_every_broken_plugin(folder: Folder) -> None:
    broken = dict.fromkeys(("bad", "worse", "till"), "import nothing_of_the_kind")
    catalogue = Catalogue.load(folder(good=GOOD, **broken))
    with pytest.raises(PluginError) as refused:
        catalogue.create("sink", "elsewhere", {})
    assert "3 plugins are broken" in str(refused.value)
    assert "worse.py" not in str(refused.value)
    with pytest.raises(PluginError) as refused:
        catalogue.create("sink", "till", {})
    assert "till.py" in str(refused.value)
    assert "worse.py" not in str(refused.value)


def test_one_broken_hook_leaves_the_plugins_other_roles(folder: Folder) -> None:
    source = GOOD + (
        "@batchd.hookimpl\ndef register_readers(register):\n    register('early', GoodSink)\n"
        "    raise RuntimeError('late')\n"
    )
    catalogue = Catalogue.load(folder(good=source))
    assert [offer.kind for offer in of_others(catalogue)] == ["good"]
    (broken,) = catalogue.broken
    assert (broken.role, broken.kinds) == ("reader", ("early",))


def test_a_missing_kind_is_put_down_to_the_plugin_that_looks_like_it(folder: Folder) -> None:
    plugin_dir = folder(good=GOOD, till="1 / 0", other="import no_such")
    catalogue = Catalogue.load(plugin_dir)
    suspects, alike = catalogue.suspects("sink", "till")
    assert ([each.plugin for each in suspects], alike) == (["till"], True)
    suspects, alike = catalogue.suspects("sink", "ledger")
    assert ([each.plugin for each in suspects], alike) == (["other", "till"], False)
    with pytest.raises(PluginError) as caught:
        catalogue.create("sink", "till", {})
    assert str(caught.value) == (
        f'There is no sink "till". There are: good. The plugin "till" of {plugin_dir}/till.py is broken: '
        "it cannot be imported: ZeroDivisionError: division by zero (till.py, line 1)."
    )


def test_a_file_that_was_mended_is_read_again(folder: Folder) -> None:
    assert Catalogue.load(folder(shop="import no_such")).broken
    assert Catalogue.load(folder(shop=GOOD)).kinds("sink") == ["good"]


# --- Clashes -----------------------------------------------------------------------------------------------------


def test_two_distributions_with_one_plugin_name_are_both_named(installed: Any) -> None:
    installed.add("shop", object(), distribution="batchd-shop", value="batchd_shop")
    installed.add("shop", object(), distribution="acme-shop", value="acme.shop")
    sentence = 'There are 2 plugins of the name "shop": batchd-shop 1.2 (batchd_shop) and acme-shop 1.2 (acme.shop).'
    with pytest.raises(PluginError) as caught:
        Catalogue.load()
    assert str(caught.value) == sentence

    tolerant = Catalogue.load(tolerant=True)
    assert [(each.distribution, each.reason) for each in tolerant.broken] == [
        ("batchd-shop 1.2", "t" + sentence[1:-1]),
        ("acme-shop 1.2", "t" + sentence[1:-1]),
    ]


def test_a_file_may_not_take_the_name_of_an_installed_plugin(installed: Any, folder: Folder) -> None:
    installed.add("good", object())
    plugin_dir = folder(good=GOOD)
    with pytest.raises(PluginError) as caught:
        Catalogue.load(plugin_dir)
    assert str(caught.value) == (
        f'There are 2 plugins of the name "good": batchd-good 1.2 (batchd_good) and {plugin_dir}/good.py.'
    )


def test_two_plugins_that_offer_one_kind_are_both_named(folder: Folder) -> None:
    plugin_dir = folder(one=GOOD, two=GOOD + "\n@batchd.hookimpl\ndef register_readers(register): ...\n")
    sentence = (
        f'The plugin "one" of {plugin_dir}/one.py and the plugin "two" of {plugin_dir}/two.py offer the sink "good": '
        "remove one of them."
    )
    catalogue = Catalogue.load(plugin_dir)
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            catalogue.kinds("sink")
        assert str(caught.value) == sentence
    assert catalogue.kinds("reader") == []

    tolerant = pickle.loads(pickle.dumps(Catalogue.load(plugin_dir, tolerant=True)))
    assert of_others(tolerant) == []
    assert [(each.plugin, each.role, each.kinds) for each in tolerant.broken] == [
        ("one", "sink", ("good",)),
        ("two", "sink", ("good",)),
    ]
    assert tolerant.broken[0].reason == "t" + sentence[1:-1]


def test_two_readers_may_not_take_one_suffix(folder: Folder) -> None:
    reader = """
    import batchd

    class R(batchd.Reader):
        suffixes = (".tab", "{suffix}")

        def read(self, source): ...

    @batchd.hookimpl
    def register_readers(register):
        register("{kind}", R)
    """
    one, two = reader.format(kind="one", suffix=".one"), reader.format(kind="two", suffix=".two")
    plugin_dir = folder(a=one, b=two)
    with pytest.raises(PluginError) as caught:
        Catalogue.load(plugin_dir).suffixes()
    assert str(caught.value) == (
        f'The plugin "a" of {plugin_dir}/a.py and the plugin "b" of {plugin_dir}/b.py offer a reader for .tab: '
        "remove one of them."
    )


def test_one_kind_in_two_roles_is_no_clash(folder: Folder) -> None:
    source = GOOD.replace("register_sinks", "register_observers")
    assert len(of_others(Catalogue.load(folder(one=GOOD, two=source)))) == 2
