"""A few power cuts, and a build in which they must do harm; `make power-cuts` does 150, and two such builds."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from .power_cuts import SABOTAGES, NoLoopMounts, power_cuts
from .rig import Counts, Nursery

pytestmark = pytest.mark.slow

CUTS = 3
EVERY_CASE = os.environ.get("BATCHD_EVERY_CASE") == "1"
MAX_CUTS = 30
"""Cuts that a sabotaged build may take before it must have lost something. Mostly the first one does it."""


def run(*arguments: object, **options: object) -> tuple[int, Counts]:
    """A run, skipped where the machine does not allow one."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount an image")
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("needs mkfs.ext4")
    try:
        return power_cuts(*arguments, **options)  # type: ignore[arg-type]
    except NoLoopMounts as reason:
        pytest.skip(f"this machine mounts no images: {reason}")


@pytest.mark.slow(seconds=5)
def test_after_a_power_cut_nothing_is_lost_half_there_or_paid_twice(tmp_path: Path, nursery: Nursery) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    cuts, counts = run(tmp_path, CUTS, seed, nursery=nursery)
    assert not counts.wrong, f"seed {seed}, after {cuts} cuts: {counts}"
    assert cuts == CUTS
    assert counts.rows > 0


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("sabotage", SABOTAGES if EVERY_CASE else [*SABOTAGES][:1])
def test_a_build_that_does_not_sync_is_found_out(tmp_path: Path, sabotage: str) -> None:
    # The cuts fall at random instants, and on a busy machine all of one series may miss the harm.
    seeds = [random.SystemRandom().randrange(1_000_000) for _ in range(3)]
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        _, counts = run(folder, MAX_CUTS, seed, sabotage=sabotage)
        if counts.wrong:
            return
    pytest.fail(f"seeds {seeds}: the rig sees no harm in {sabotage}, so it is blind")
