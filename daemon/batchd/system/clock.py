"""The only module that reads clocks and random numbers. Tests inject another Clock."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from functools import cached_property
from pathlib import Path

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CHANCE = random.Random()
"""A generator of our own: a plugin may seed the shared one, and a program with a client may rely on its own seed."""


class Clock:
    """Wall clock, steady clock, random numbers."""

    def __init__(self, boot_id: Path = BOOT_ID) -> None:
        self._boot_id = boot_id

    def now(self) -> float:
        """Seconds since 1970, for people and reports. Jumps if somebody sets the clock."""
        return time.time()

    def steady(self) -> float:
        """Seconds since this machine was booted, sleep included. Never jumps. Starts again after a reboot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot(self) -> str:
        """The id of the boot from which `steady` counts."""
        return self._boot

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds; other tasks run meanwhile."""
        await asyncio.sleep(max(0.0, seconds))

    def new_id(self) -> str:
        """Eight characters that are easy to read aloud: Crockford's base 32, forty random bits."""
        number = secrets.randbits(40)
        return "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        return _CHANCE.random()

    @cached_property
    def _boot(self) -> str:
        try:
            return self._boot_id.read_text("ascii").strip()
        except OSError:
            # A sandbox such as systemd's ProcSubset=pid hides it. To assume a new boot is safe: after a restart, waits
            # that began before it start again instead of ending early.
            return f"process-{secrets.token_hex(16)}"
