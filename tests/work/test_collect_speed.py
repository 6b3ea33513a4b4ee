"""Collecting takes little longer than a lean loop; the bench measures both, in CPU seconds of one process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.speed

BENCH = Path(__file__).parents[2] / "bench" / "stages_collect.py"


def test_collecting_takes_little_longer_than_a_lean_loop() -> None:
    done = subprocess.run([sys.executable, str(BENCH), "--rows", "20000"], capture_output=True, text=True, check=True)
    ratios = dict(re.findall(r"^(\w+) +\S+ µs a row +(\S+) × lean", done.stdout, re.MULTILINE))
    # A third more than what was measured.
    assert float(ratios["looked_through"]) < 0.4, done.stdout
    assert float(ratios["collected"]) < 1.6, done.stdout
