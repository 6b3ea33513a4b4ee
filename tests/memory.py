"""The peak memory of a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Not `ru_maxrss`, which begins with the memory of the program that started it.
_PEAK = """
import re
from pathlib import Path
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak_of(program: str, *arguments: str | Path) -> tuple[int, list[str]]:
    """Kilobytes that the program takes at most, and the words that it prints."""
    command = [sys.executable, "-c", program + _PEAK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *words, peak = done.stdout.split()
    return int(peak), words
