"""The daemon killed, or told of an error, at system calls chosen by chance; `make faults` does hundreds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .rig import Nursery
from .strace import require_strace
from .syscall_faults import KINDS, Striker, some, strike_all

pytestmark = pytest.mark.slow

SAMPLE = {"daemon": (2, 1, 1), "worker": (1, 1, 1), "start": (1, 1, 0), "live daemon": (1, 1, 0)}
"""How many points of each kind. The workers do the same with both lanes."""

MORE = 5
"""Points that are tried besides, if no fault has reached its mark."""


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize("where", SAMPLE)
def test_nothing_is_lost_half_done_or_paid_twice_and_no_file_is_given_up(
    where: str, tmp_path: Path, nursery: Nursery
) -> None:
    require_strace()
    seed = random.SystemRandom().randrange(1_000_000)
    chance = random.Random(seed)
    target = where.split()[-1]
    striker = Striker(tmp_path, nursery, live="live" in where)
    try:
        points = striker.points(target)
        assert len(points) > 50, "an undisturbed run makes many more calls"
        for kind, number in zip(KINDS, SAMPLE[where], strict=True):
            tally = strike_all(striker, some(points, number, chance), kind)
            assert not tally.wrong, f"seed {seed}: {tally}\n" + "\n".join(tally.wrong)
            # A run may make fewer calls than the one before it: then a fault comes too late to strike.
            for _ in range(MORE):
                if number < 2 or tally.met:
                    break
                tally = strike_all(striker, some(points, 1, chance), kind)
                assert not tally.wrong, f"seed {seed}: {tally}\n" + "\n".join(tally.wrong)
            assert number < 2 or tally.met, f"seed {seed}: no fault has reached its mark"
    finally:
        striker.close()
