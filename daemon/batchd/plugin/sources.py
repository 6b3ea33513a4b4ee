"""The sources of plugins: entry points of installed distributions, and `.py` files of the plugin folder."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .. import __version__
from ..errors import BatchdError, PluginError
from ..secrets.masking import mask

GROUP = "batchd"
LOCAL = "batchd_local_"
"""The names of modules from files of the plugin folder begin with this; the name of the file follows."""
OWN = "batchd.workers.hooks"
"""The module with the daemon's own hooks. Named and not imported, since this folder may not import that one."""


class Stopped(BaseException):
    """batchd itself stops the code of a plugin. Not an Exception, which plugins catch for good reasons."""


NOT_OF_PLUGINS: tuple[type[BaseException], ...] = (KeyboardInterrupt, Stopped)
"""Exceptions that are raised in the code of a plugin, but not by it: they pass through."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A plugin before its import: its name, its distribution (empty for a file), and its module or file."""

    name: str
    distribution: str
    where: str
    entry_point: metadata.EntryPoint | None = None

    def __str__(self) -> str:
        return f"{self.distribution} ({self.where})" if self.distribution else self.where

    def load(self) -> object:
        """Import the plugin. Raises PluginError with the reason, whatever the import raises."""
        try:
            return self.entry_point.load() if self.entry_point is not None else _import_file(Path(self.where))
        except NOT_OF_PLUGINS:
            raise
        # The import of a plugin may raise anything, even SystemExit; that must not stop other plugins.
        except BaseException as error:
            raise PluginError(f"it cannot be imported: {what_was_raised(error)}") from error


def all_origins(plugin_dir: Path | None) -> list[Origin]:
    """Every plugin that is installed or lies in the folder."""
    return [*_installed(), *_files(plugin_dir)]


def by_name(origins: Iterable[Origin]) -> tuple[list[Origin], list[tuple[list[Origin], str]]]:
    """The plugins with a name of their own, and those that share a name, with a sentence that names them all."""
    by_name: dict[str, list[Origin]] = defaultdict(list)
    for origin in origins:
        by_name[origin.name].append(origin)
    single = [same[0] for _, same in sorted(by_name.items()) if len(same) == 1]
    clashes = [
        (same, f'there are {len(same)} plugins of the name "{name}": {" and ".join(map(str, same))}')
        for name, same in sorted(by_name.items())
        if len(same) > 1
    ]
    return single, clashes


def raised(error: BaseException) -> str:
    """`KeyError: 'a'`, without secrets."""
    message = " ".join(str(error).split())
    return mask(f"{type(error).__name__}: {message}" if message else type(error).__name__)


def what_was_raised(error: BaseException) -> str:
    """The same with the line of the plugin that raised it: `KeyError: 'a' (shop.py, line 12)`."""
    # A SyntaxError has the line itself; its frames are those of the import machinery.
    frames = [] if isinstance(error, SyntaxError) else traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<") and "importlib" not in frame.filename]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if len(own) > 1 else ""
    return f"{raised(error)}{where}"


def said_or_raised(error: BaseException) -> str:
    """The message, if a plugin raised an error of batchd's; else what it raised, and where. No full stop."""
    if isinstance(error, BatchdError) and not isinstance(error, PluginError):
        return mask(" ".join(str(error).split())).removesuffix(".")
    return what_was_raised(error)


def _installed() -> Iterator[Origin]:
    # The daemon's own plugin is loaded like all others.
    yield Origin("batchd", f"batchd {__version__}", OWN, metadata.EntryPoint("batchd", OWN, GROUP))
    for point, distribution in entry_points():
        yield Origin(point.name, distribution, point.value, point)


def entry_points() -> Iterator[tuple[metadata.EntryPoint, str]]:
    """The entry points of installed plugins, each with the name and the version of its distribution."""
    # To tell its name, a distribution parses all of its metadata, so it is asked once for all its plugins.
    names = {id(None): "?"}
    for point in tuple(metadata.entry_points(group=GROUP)):
        if point.dist is not None and id(point.dist) not in names:
            names[id(point.dist)] = f"{point.dist.name} {point.dist.version}"
        yield point, names[id(point.dist)]


def is_ours(distribution: str) -> bool:
    """Whether a distribution, as origins and offers have it, is batchd itself."""
    return distribution.partition(" ")[0] == "batchd"


def _files(plugin_dir: Path | None) -> Iterator[Origin]:
    if plugin_dir is None or not plugin_dir.is_dir():
        return
    for path in sorted(plugin_dir.glob("*.py")):
        # A leading underscore marks a module that plugins share (see plugin.neighbours), a leading dot a file that an
        # editor left behind.
        if not path.name.startswith(("_", ".")):
            yield Origin(path.stem, "", str(path))


def _import_file(path: Path) -> object:
    name = f"{LOCAL}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    # pydantic and dataclasses look up a class's module by name while they create the class.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise
    return module
