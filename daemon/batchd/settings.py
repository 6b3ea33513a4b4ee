"""Types for settings: durations as people write them, and secrets that are never shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic_core import core_schema

from .secrets.references import Secret as Secret

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def seconds(text: str | float) -> float:
    """Seconds from `"500ms"`, `"2s"`, `"10m"`, `"6h"`, `"30d"`, or a number. ValueError says how to write it."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError('write a duration, such as "500ms", "2s", "10m", "6h" or "30d"')
    if isinstance(text, int | float):
        number = float(text)
    else:
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f'{text!r} is not a duration; write one such as "500ms", "2s", "10m", "6h" or "30d"')
        number = float(match[1]) * _UNITS[match[2]]
    if math.isnan(number):
        raise ValueError('write a duration, such as "500ms", "2s", "10m", "6h" or "30d"')
    if number < 0:
        raise ValueError("a duration cannot be negative")
    return number


@dataclass(frozen=True, slots=True)
class FromFile:
    """Marks a key of a prompt that may name a file beside the configuration: `Annotated[…, FromFile(read)]`.

    The file is read once, with the configuration: the settings, and so each job, have what `read` returns in place of
    the file's name. `read` raises ValueError with a sentence if the file cannot be used.
    """

    read: Callable[[Path], Any]


if TYPE_CHECKING:
    Duration: TypeAlias = float
    """A float in seconds, written as `"2s"` in the config. `Duration("2s")` is one too."""
else:

    class Duration(float):
        """A float in seconds, written as `"2s"` in the config. `Duration("2s")` is one too."""

        __slots__ = ()

        def __new__(cls, text: str | float) -> float:
            """The seconds of the text, as a plain float."""
            return seconds(text)

        @classmethod
        def __get_pydantic_core_schema__(cls, _: Any, handler: Callable[[Any], Any]) -> Any:
            """Validate with `seconds`, then as a float."""
            return core_schema.no_info_before_validator_function(seconds, handler(float))
