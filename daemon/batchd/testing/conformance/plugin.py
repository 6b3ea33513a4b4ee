"""The tests of plugins of every role, and the functions that all tests share."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from unittest import SkipTest

from ...contracts import Plugin, Settings
from ...model import BadRow, Failure
from ...plugin.background import has_background
from ...plugin_base import give_state_folder

PATIENCE = 20.0
"""Seconds after which a test fails if something has not ended."""
_KIT = str(Path(__file__).parents[1]) + os.sep


def _speaking(test: Callable[..., None]) -> Callable[..., None]:
    """Wrap a test, so that an unexpected exception of the plugin fails it with a sentence."""

    @functools.wraps(test)
    def run(self: PluginConformance) -> None:
        try:
            test(self)
        except SkipTest:
            raise
        except Exception as error:
            cause: BaseException = error
            while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
                cause = cause.exceptions[0]
            foreign = _foreign_calls(cause)
            if isinstance(error, AssertionError) and not foreign:
                raise
            raise AssertionError(_unexpected(cause, foreign)) from error

    return run


def _on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Wrap an async test, so that it runs on an event loop with an open plugin, which is closed at the end."""

    def run(self: PluginConformance) -> None:
        self._ask(functools.partial(test, self))

    # Not `functools.wraps`: pytest would take the plugin for a fixture.
    functools.update_wrapper(run, test)
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def _housed(make: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `make`, so that the plugin has a state folder as in the daemon: the same one in all calls of a test."""

    @functools.wraps(make)
    def made(self: PluginConformance, *arguments: Any) -> Any:
        plugin = make(self, *arguments)
        if isinstance(plugin, Plugin) and plugin.__dict__.get("_state_folder") is None:
            give_state_folder(plugin, self.folder / "state-of-the-plugin")
        return plugin

    return made


def _foreign_calls(error: BaseException) -> Sequence[traceback.FrameSummary]:
    """Return the calls below the last one of the kit in the traceback; none if the kit itself raised the error."""
    calls = traceback.extract_tb(error.__traceback__)
    last = max((number for number, call in enumerate(calls) if call.filename.startswith(_KIT)), default=-1)
    return calls[last + 1 :]


def _unexpected(error: BaseException, calls: Sequence[traceback.FrameSummary]) -> str:
    if not calls:
        return f"This test of the kit could not go on: {error!r}."
    first = calls[0]
    place = [call for call in calls if call.filename == first.filename][-1]
    return (
        f"{first.name}() raised {error!r} ({os.path.basename(place.filename)}, line {place.lineno}), and this test "
        "gave no reason to. What a plugin may raise, and when, stands at the methods of batchd.contracts."
    )


class PluginConformance:
    """The tests of a plugin of any role. Derive your class from that of your role, not from this one."""

    module: ClassVar[str | None] = None
    """The module to import to find the plugin: the value of its entry point. Need not be set if it is installed."""

    rows_to_compare: ClassVar[tuple[int, int]] = (2_000, 20_000)
    """The numbers of rows at which memory is compared."""

    _within: ClassVar[float] = PATIENCE
    """Seconds for a test."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, test in list(vars(cls).items()):
            if name.startswith("test_") and cls.__module__.startswith(__package__):
                setattr(cls, name, _speaking(_on_a_loop(test) if inspect.iscoroutinefunction(test) else test))
        if "make" in vars(cls):
            cls.make = _housed(cls.make)  # type: ignore[method-assign]

    @cached_property
    def folder(self) -> Path:
        """A folder for this test alone, to write to; empty when the test begins."""
        return self._root

    @cached_property
    def _root(self) -> Path:
        # A test may set `folder` to a folder below this one for a while.
        return Path(tempfile.mkdtemp(prefix="batchd-conformance-"))

    def teardown_method(self) -> None:
        """pytest calls this at the end of a test."""
        shutil.rmtree(self._root, ignore_errors=True)

    def make(self) -> Any:
        """A new plugin object, with settings for the tests."""
        raise NotImplementedError(f"{type(self).__name__} must have a method make() that returns a new plugin object.")

    async def _open(self, plugin: Any) -> None:
        """Prepare the plugin as the daemon does, if its role has a method for that."""

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Any]:
        """A new plugin object that is open; closed at the end."""
        plugin = self.make()
        await self._open(plugin)
        try:
            yield plugin
        finally:
            await plugin.aclose()

    def _ask(self, question: Callable[[Any], Awaitable[None]], *, within: float | None = None) -> None:
        async def asking() -> None:
            async with self._opened() as plugin:
                await question(plugin)

        ask(asking, within=within or self._within)

    @_speaking
    def test_its_settings_are_a_table_of_batchd(self) -> None:
        """`Settings` is a subclass of batchd.Settings and refuses unknown keys."""
        plugin = self.make()
        if inspect.isroutine(plugin):
            return  # a command reads its settings when it runs
        name, settings = type(plugin).__name__, getattr(type(plugin), "Settings", None)
        assert isinstance(settings, type), f"{name}.Settings is {settings!r}; nest a class of batchd.Settings."
        assert issubclass(settings, Settings), f"{name}.Settings does not inherit from batchd.Settings."
        extra = settings.model_config.get("extra")
        assert extra == "forbid", (
            f"{name}.Settings takes keys that it does not know (extra={extra!r}), so a mistyped key in the "
            "config would be passed over in silence. Leave `extra` as batchd.Settings has it."
        )

    @_speaking
    def test_background_work_ends_when_it_is_cancelled(self) -> None:
        """The daemon cancels it before `aclose`."""
        if not has_background(self.make()):
            return

        async def question() -> None:
            plugin = self.make()
            if hasattr(plugin, "aopen"):
                await plugin.aopen()
            try:
                working = asyncio.ensure_future(plugin.background())
                await asyncio.wait([working], timeout=0.05)
                if not working.done():
                    await passes_cancellation(working, "background()")
            finally:
                await plugin.aclose()

        ask(question)

    @_speaking
    def test_importing_it_is_cheap(self) -> None:
        """The module, which every start imports, does not import what only the object needs."""
        module = self.module or _entry_module(self.make())
        heavy = _brought_in_by(module)
        assert not heavy, (
            f"Importing {module} brings in {', '.join(heavy)}, and every `batchd status` would pay for that. Import it "
            "where it is used: in the hook that registers the class, or in the method."
        )


@cache
def _brought_in_by(module: str) -> Sequence[str]:
    """Return the third-party top-level modules that importing this module loads, beyond those of batchd itself."""
    program = (
        "import importlib, runpy, sys\n"
        "import batchd.contracts, batchd.hookspecs\n"
        "tops = lambda: {name.partition('.')[0] for name in sys.modules}\n"
        "before = tops()\n"
        "where = sys.argv[1]\n"
        "runpy.run_path(where) if where.endswith('.py') else importlib.import_module(where)\n"
        # multiprocessing, where it is imported, adds a name of its own for the main module.
        "own = {where.partition('.')[0], '__mp_main__'}\n"
        "print(*sorted(tops() - before - sys.stdlib_module_names - own))\n"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(  # our own program, in the Python that runs the tests
        [sys.executable, "-c", program, module], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{module} cannot be imported by itself:\n{done.stderr}")
    return done.stdout.split()


def _entry_module(plugin: Any) -> str:
    home = plugin.__module__
    for point in metadata.entry_points(group="batchd"):
        if home == point.module or home.startswith(f"{point.module}."):
            return point.module
    file = getattr(sys.modules.get(home), "__file__", None)
    return str(file) if home.startswith("batchd_local_") and file else home


def skip(reason: str) -> NoReturn:
    """Skip a test for which this plugin has no data."""
    raise SkipTest(reason)


def sentences(value: object, what: str) -> None:
    """Check that `value` is what a `check` method may return."""
    assert not isinstance(value, str), (
        f"{what} returned the text {value!r}, of which every letter would be taken for a sentence. Return a list."
    )
    assert isinstance(value, Sequence), f"{what} returned {value!r}; return a list of sentences, empty if all is well."
    for sentence in value:
        assert isinstance(sentence, str), f"{what} returned {sentence!r} in its list; each must be a sentence."
        assert sentence.strip(), f"{what} returned an empty sentence; leave it out."


def failure(value: Failure, what: str) -> None:
    """Check that a Failure has a code and a message, and can be stored."""
    for name in ("code", "message"):
        text = getattr(value, name)
        assert isinstance(text, str), f"The {name} of the Failure of {what} is {text!r}; it must be text."
        assert text.strip(), f"The Failure of {what} has an empty {name}. People must be told what is wrong."
        assert not no_json(text), f"The {name} of the Failure of {what} cannot be stored: {no_json(text)}."
    assert isinstance(value.transient, bool), f"`transient` of the Failure of {what} is {value.transient!r}."


def bad_row(value: BadRow, what: str) -> None:
    """Check that a BadRow has the values of the record, and its fault."""
    assert isinstance(value.failure, Failure), f"The failure of {what} is {value.failure!r}; it must be a Failure."
    failure(value.failure, what)
    assert isinstance(value.values, Sequence), f"The values of {what} are {value.values!r}; they must be a list."
    assert not isinstance(value.values, str | bytes), (
        f"The values of {what} are the text {value.values!r}; put it into a list, or every letter is a cell."
    )
    assert not no_json(value.values), f"The values of {what} cannot be stored: {no_json(value.values)}."


def no_json(value: object, place: str = "") -> str | None:
    """Where and why this value cannot be JSON, None if it can."""
    at = f" at {place}" if place else ""
    match value:
        case None | bool() | int():
            return None
        case float():
            return None if math.isfinite(value) else f"{value}{at}, which JSON has no number for"
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return f"{value!r}{at}, which holds half of a surrogate pair"
            return None
        case list() | tuple():
            return next((no for number, item in enumerate(value) if (no := no_json(item, f"{place}[{number}]"))), None)
        case dict():
            odd = next((key for key in value if not isinstance(key, str)), None)
            if odd is not None:
                return f"the key {odd!r}{at}, which is not text"
            return next((no for key, item in value.items() if (no := no_json(item, f"{place}.{key}"))), None)
        case _:
            return f"{value!r}{at}, a {type(value).__name__}"


def ask(question: Callable[[], Coroutine[Any, Any, None]], *, within: float = PATIENCE) -> None:
    """Run a test on an event loop. It fails if it does not end in time."""

    async def asking() -> None:
        try:
            async with asyncio.timeout(within):
                await question()
        except TimeoutError:
            raise AssertionError(f"Nothing has come back after {within:.0f} s.") from None

    asyncio.run(asking())


@contextmanager
def explained(before: str, after: str) -> Iterator[None]:
    """Fail the test if the block raises; the message names the exception between these words."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{before} {error!r}{after}") from error


async def raised_by(call: Awaitable[object]) -> Exception | None:
    """Return what the call raises, None if nothing."""
    try:
        await call
    except Exception as error:  # noqa: BLE001  # a task or a plugin may raise anything
        return error
    return None


async def passes_cancellation(
    call: Awaitable[object], what: str, *, release: Callable[[], None] = lambda: None
) -> None:
    """Cancel the call when it first waits (or waits now): it must raise the cancellation, and nothing else."""
    task = asyncio.ensure_future(call)
    await asyncio.sleep(0)
    if task.done():
        task.exception()
        return  # it never waited, so there was nothing to cancel
    task.cancel()
    release()
    await asyncio.wait([task], timeout=PATIENCE)
    assert task.done(), f"{what} goes on {PATIENCE:.0f} s after it was cancelled; batchd could not stop."
    if task.cancelled():
        return
    error = task.exception()
    became = f"it returned {task.result()!r}" if error is None else f"it raised {error!r}"
    raise AssertionError(
        f"{what} swallowed its cancellation: {became}. Let asyncio.CancelledError pass: catch `Exception`, not "
        "`BaseException`, and raise again what a `finally` or `except` has tidied up after."
    )
