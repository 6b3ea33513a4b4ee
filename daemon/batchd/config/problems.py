"""Collects all faults of a config: file, line, table, key, and how to fix each."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from ..domain.words import Keys, show_key
from ..errors import ConfigError, PluginError
from ..plugin.validation import SettingFault
from .toml import Document


class ConfigProblem(Struct, frozen=True):
    """One fault. `plugin` means that the plugin must be fixed, not the config."""

    line: int
    text: str
    plugin: bool


class Problems:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: list[ConfigProblem] = []
        self._warnings: list[ConfigProblem] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def path(self) -> Path:
        return self._document.path

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings, in the order of the file."""
        return tuple(problem.text for problem in sorted(self._warnings, key=lambda problem: problem.line))

    def add(self, keys: Keys, sentence: str, *, plugin: bool = False) -> None:
        """Add an error about the value at `keys`. The sentence has no full stop."""
        problem = self._problem(keys, sentence, plugin=plugin)
        if problem not in self._found:
            self._found.append(problem)

    def add_faults(self, table: Keys, faults: list[SettingFault]) -> None:
        for fault in faults:
            self.add((*table, *fault.keys), fault.sentence)

    def warn(self, keys: Keys, sentence: str) -> None:
        """Add a warning, which does not stop the load."""
        self._warnings.append(self._problem(keys, sentence, plugin=False))

    def stop(self) -> NoReturn:
        """Raise all errors: as a PluginError if all of them are in plugins, else as a ConfigError."""
        text = "\n".join(problem.text for problem in sorted(self._found, key=lambda problem: problem.line))
        raise PluginError(text) if all(problem.plugin for problem in self._found) else ConfigError(text)

    def _problem(self, keys: Keys, sentence: str, *, plugin: bool) -> ConfigProblem:
        line = self._document.line(keys)
        stop = "" if sentence.endswith(("?", ".")) else "."
        item = f"item {keys[-1] + 1}: " if keys and isinstance(keys[-1], int) else ""
        return ConfigProblem(line, f"{self._document.path}:{line}: {self._place(keys)}: {item}{sentence}{stop}", plugin)

    def _place(self, keys: Keys) -> str:
        """`[intake] settle`; `[intake]` for the whole table; a bare key outside all tables."""
        whole: object = self._document.data
        for key in keys:
            whole = whole.get(key) if isinstance(whole, dict) else None
        if isinstance(whole, dict):
            return f"[{show_key(keys)}]"
        names = tuple(key for key in keys if isinstance(key, str))
        return f"[{show_key(names[:-1])}] {show_key(names[-1:])}" if len(names) > 1 else show_key(names)
