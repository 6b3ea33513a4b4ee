"""Finds the plugin that a fault is in: its name, file, line and method, from the calls that led there."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from traceback import FrameSummary
from types import FrameType
from typing import TypeAlias

from msgspec import Struct

from ..errors import PluginError
from .sources import GROUP, LOCAL, OWN, Origin, raised

Home: TypeAlias = tuple[Path, str]
"""The file or folder of a plugin, and its name. In a folder with an empty name, each file is a plugin."""

_DUMPED = re.compile(r'File "([^"]*)", line (\d+) in (.+)')
_NOTE = "batchd_place"
_PLUGINS = ("anthropic", "dask", "files", "inline", "notify", "openai", "prompts", "sandbox", "sinks", "tables")
_BUILT_IN = frozenset(f"batchd_{each}" for each in _PLUGINS)


class PluginPlace(Struct, frozen=True):
    """A line of a plugin. `method` is the method of the plugin that batchd had called."""

    plugin: str
    file: str
    line: int
    method: str

    @property
    def built_in(self) -> bool:
        return Path(self.file).parent.name in _BUILT_IN

    def __str__(self) -> str:
        return f'{self.method} of the plugin "{self.plugin}" ({self.file}, line {self.line})'


def place_in(frames: Iterable[FrameSummary], homes: Sequence[Home] | None = None) -> PluginPlace | None:
    """The plugin among these calls, the outermost first; None if there is none. `homes` are those of loaded plugins."""
    homes = _homes() if homes is None else homes
    found = [(name, frame) for frame in frames if (name := _owner(frame.filename, homes)) is not None]
    if not found:
        return None
    (name, outer), last = found[0], found[-1][1]
    if found[-1][0] != name:
        last = [frame for owner, frame in found if owner == name][-1]
    return PluginPlace(name, last.filename, last.lineno or 0, outer.name)


def home_of_class(kind: type) -> str:
    """The plugin that a class belongs to, and its file, in words; empty if it belongs to none."""
    homes = _homes()
    for each in kind.__mro__:  # a class made by `type` may have no module
        file = getattr(sys.modules.get(each.__module__), "__file__", None)
        name = _owner(file, homes) if file else None
        if name is not None:
            return f'the plugin "{name}" ({file})'
    return ""


def place_of_frame(frame: FrameType | None) -> PluginPlace | None:
    """The plugin that is at work in this frame."""
    return place_in(traceback.extract_stack(frame))


def place_of_dump(text: str, homes: Sequence[Home] | None = None) -> PluginPlace | None:
    """The same for what faulthandler has written: the main thread comes last, its calls innermost first.

    If the process died, the thread that is called current is the cause.
    """
    _, died, main = text.partition("Current thread 0x")
    if died:
        main = main.partition("\n\n")[0]
    else:
        _, _, main = text.rpartition("hread 0x")
    found = [FrameSummary(each[1], int(each[2]), each[3], lookup_line=False) for each in _DUMPED.finditer(main)]
    return place_in(reversed(found), homes)


def place_of(error: BaseException) -> PluginPlace | None:
    """The plugin that an exception comes from: noted where it was raised, or found in its traceback."""
    place = getattr(error, _NOTE, None)
    if isinstance(place, PluginPlace):
        return place
    frames = traceback.extract_tb(error.__traceback__)
    return place_in(frames) or (place_of(error.__cause__) if error.__cause__ is not None else None)


def note_place(error: BaseException) -> None:
    """Note the plugin in the exception, which loses its traceback on its way to another process."""
    place = place_of(error)
    if place is not None:
        setattr(error, _NOTE, place)


@contextmanager
def never_exiting() -> Iterator[None]:
    """Turn SystemExit in the `with` block into PluginError: a plugin must not end batchd."""
    try:
        yield
    except SystemExit as error:
        raise PluginError(f"The plugin raised {raised(error)}.") from error


def homes_of(origins: Iterable[Origin]) -> Sequence[Home]:
    """The homes of plugins that are not imported in this process."""
    homes: list[Home] = []
    for origin in origins:
        point = origin.entry_point
        if point is None:
            homes.append((Path(origin.where), origin.name))
        elif point.module != OWN and (found := _found(point.module.partition(".")[0])) is not None:
            homes.append((_home(found), origin.name))
    return [*homes, *((path.parent, "") for path, _ in homes if any(path == Path(each.where) for each in origins))]


def _found(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _owner(file: str, homes: Iterable[Home]) -> str | None:
    if file.startswith("<"):
        return None
    path = Path(file)
    for home, name in homes:
        if path == home:
            return name
    for home, name in homes:
        if os.path.isdir(home) and path.is_relative_to(home):  # False too for a folder that cannot be read
            return name or path.stem
    return None


def _homes() -> list[Home]:
    """The files and folders of plugins: first those of the plugin folder."""
    homes: list[Home] = []
    for name, module in list(sys.modules.items()):
        if name.startswith(LOCAL) and module.__file__:
            homes.append((Path(module.__file__), name.removeprefix(LOCAL)))
    homes += [(folder, "") for folder in {file.parent for file, _ in homes}]
    for point in metadata.entry_points(group=GROUP):
        imported = sys.modules.get(point.module.partition(".")[0])
        if point.module != OWN and imported is not None and imported.__file__:
            homes.append((_home(Path(imported.__file__)), point.name))
    return homes


def _home(file: Path) -> Path:
    """The folder of a package; the file of a single module."""
    return file.parent if file.name == "__init__.py" else file
