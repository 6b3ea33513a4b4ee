"""The files that this process has open below a folder.

To count all descriptors would be wrong: what earlier tests have left open is closed whenever it is collected.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def open_below(folder: Path) -> list[str]:
    places = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            places.append(os.readlink(each))
    return [place for place in places if place.startswith(str(folder.resolve()))]
