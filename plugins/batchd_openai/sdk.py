"""The openai package, without most of its types: each of those is imported on first use.

It defines some seven hundred types of answers, which would take 0.25 s and 10 MB at each start; the calls for batches
need ten of them. The modules of this plugin import the package from here.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_TYPES = "openai.types"
_IMPORT = re.compile(r"^from (\.[\w.]+) import (\([^)]*\)|.*)\n", re.MULTILINE)
_NAME = re.compile(r"(\w+) as \1\b")
_WITHOUT_MEANING = re.compile(r"^(#.*|from __future__ .*|\s*)$")


class _Package(ModuleType):
    """A package that imports each of its names on first use."""

    _found_in: Mapping[str, str]
    """The module of each name."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            # `import *` takes only the names that are set, so set them all.
            for each in self._found_in:
                getattr(self, each)
        module = self._found_in.get(name)
        if module is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        found = getattr(importlib.import_module(module, self.__name__), name)
        setattr(self, name, found)
        return found


class _Lazily(MetaPathFinder, Loader):
    """Finds the packages of types whose `__init__` only imports names, and loads them without running it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _TYPES and not name.startswith(f"{_TYPES}."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.submodule_search_locations is None or not isinstance(spec.loader, InspectLoader):
            return None
        source = spec.loader.get_source(name) or ""
        if not all(map(_WITHOUT_MEANING.match, _IMPORT.sub("", source).splitlines())):
            return None
        found_in = {each: module for module, names in _IMPORT.findall(source) for each in _NAME.findall(names)}
        spec.loader, spec.loader_state = self, found_in
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        package = _Package(spec.name)
        package._found_in = spec.loader_state  # noqa: SLF001  # of this module
        return package

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the names are imported on first use."""


_finder = _Lazily()
sys.meta_path.insert(0, _finder)
try:
    import openai as openai
finally:
    sys.meta_path.remove(_finder)
