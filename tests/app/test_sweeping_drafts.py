"""What workers that were killed have left half written goes away, and what is being written stays."""

from __future__ import annotations

import os
from pathlib import Path

from batchd.app.sweeping import DRAFTS_STAY, sweep_drafts
from batchd.testing.household import Household


async def test_old_drafts_of_parts_are_deleted(tmp_path: Path) -> None:
    house = Household(tmp_path / "house", shared=tmp_path / "shared")
    async with house.living() as living:
        spool, now = living.context.spool, living.context.clock.now()
        spool.make_job("j1")
        parts = spool.job("j1") / "parts"
        ages = {".0a1b.draft": DRAFTS_STAY + 1, ".2c3d.draft": DRAFTS_STAY - 60, "0.results.1.jsonl": 9 * DRAFTS_STAY}
        for name, age in ages.items():
            (parts / name).write_text("x")
            os.utime(parts / name, (now - age, now - age))
        sweep_drafts(living.context)
        assert sorted(each.name for each in parts.iterdir()) == [".2c3d.draft", "0.results.1.jsonl"]
