"""Calls that come no faster than they may."""

from __future__ import annotations

import asyncio
import time

import pytest

from batchd import CallRate


async def test_turns_come_in_order_and_no_faster() -> None:
    rate, order = CallRate(200), []
    began = time.monotonic()

    async def call(number: int) -> None:
        await rate.turn()
        order.append(number)

    await asyncio.gather(*map(call, range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert time.monotonic() - began >= 4 / 200


async def test_without_a_limit_nothing_waits_and_a_hold_does() -> None:
    rate = CallRate(None)
    async with asyncio.timeout(0.5):
        for _ in range(1_000):
            await rate.turn()
    rate.hold(0.03)
    began = time.monotonic()
    await rate.turn()
    assert time.monotonic() - began >= 0.029


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="None is no limit"):
        CallRate(0)
