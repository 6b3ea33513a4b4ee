"""The clock that is real."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from batchd.system.clock import Clock

if TYPE_CHECKING:
    import pytest


def test_steady_counts_from_the_boot_and_goes_on_during_suspend() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    steady = Clock().steady()
    assert before <= steady <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_steady_does_not_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    before = clock.steady()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.now() == 0.0
    assert clock.steady() >= before


def test_the_boot_is_the_kernel_s_word() -> None:
    assert Clock().boot() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_where_the_boot_is_hidden_every_process_is_one_of_its_own(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "hidden")
    assert re.fullmatch(r"process-[0-9a-f]{32}", clock.boot())
    assert clock.boot() == clock.boot()
    assert clock.boot() != Clock(tmp_path / "hidden").boot()


async def test_sleep_yields_to_the_loop_even_for_no_time() -> None:
    import asyncio

    order: list[str] = []

    async def other() -> None:
        order.append("other")

    task = asyncio.create_task(other())
    await Clock().sleep(-1)
    order.append("slept")
    await task
    assert order == ["other", "slept"]


def test_ids_can_be_read_out_and_do_not_repeat() -> None:
    ids = {Clock().new_id() for _ in range(2_000)}
    assert len(ids) == 2_000
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{8}", each) for each in ids)
    assert set("".join(ids)) == set("0123456789abcdefghjkmnpqrstvwxyz")


def test_jitter_is_a_share() -> None:
    values = [Clock().jitter() for _ in range(1_000)]
    assert all(0 <= value < 1 for value in values)
    assert max(values) - min(values) > 0.5
