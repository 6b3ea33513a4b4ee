"""Six kills at random instants while files drop and the provider misbehaves; `make soak` does a thousand."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SOAK = Path(__file__).parents[2] / "bench" / "soak.py"
KILLS = 6


@pytest.mark.slow(seconds=5)
def test_nothing_is_lost_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    if not SOAK.exists():
        pytest.skip("bench/soak.py is not beside these tests")
    spec = importlib.util.spec_from_file_location("soak", SOAK)
    assert spec is not None
    assert spec.loader is not None
    soak = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = soak
    spec.loader.exec_module(soak)
    seed = random.SystemRandom().randrange(1_000_000)
    numbers = soak.soak(KILLS, seed, tmp_path)
    assert not soak.failed(numbers), f"seed {seed}: {numbers}"
    assert numbers["kills"] == KILLS
