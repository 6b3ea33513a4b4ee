"""The one place where clocks and randomness are read. Tests inject another."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from functools import cached_property
from pathlib import Path

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """Time by the wall, time that never jumps, and chance."""

    def __init__(self, boot_id: Path = BOOT_ID) -> None:
        self._boot_id = boot_id

    def now(self) -> float:
        """Seconds since 1970. Right for people and reports; may jump when the clock is set."""
        return time.time()

    def steady(self) -> float:
        """Seconds since this machine was booted: goes on while it sleeps, never jumps. Means nothing after a reboot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot(self) -> str:
        """Which boot of the machine `steady` counts from."""
        return self._boot

    async def sleep(self, seconds: float) -> None:
        """Let others run for this long."""
        await asyncio.sleep(max(0.0, seconds))

    def new_id(self) -> str:
        """Eight characters that people can read out to each other: Crockford's base 32, forty random bits."""
        number = secrets.randbits(40)
        return "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))

    def jitter(self) -> float:
        """Anything from 0 up to, not including, 1."""
        return random.random()

    @cached_property
    def _boot(self) -> str:
        try:
            return self._boot_id.read_text("ascii").strip()
        except OSError:
            # Hidden by a sandbox such as systemd's ProcSubset=pid. A boot of our own is the careful guess: after a
            # restart, waits that began before it start again instead of ending early.
            return f"process-{secrets.token_hex(16)}"
