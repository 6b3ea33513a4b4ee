"""Types for settings: durations as people write them, and secrets that are never shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

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

    The file is read once, with the configuration: what `read` makes of it stands in its place in the settings, and
    so in each job. `read` raises ValueError with a sentence if the file cannot be used.
    """

    read: Callable[[Path], Any]


Duration = Annotated[float, BeforeValidator(seconds)]
"""A float in seconds, written as `"2s"` in the config."""
