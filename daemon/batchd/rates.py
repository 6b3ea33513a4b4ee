"""Makes calls no faster than a service allows."""

from __future__ import annotations

import asyncio


class CallRate:
    """Allows `calls` calls in `per` seconds, evenly spaced: `await rate.turn()` before each call.

    >>> rate = CallRate(5, per=1.0)    # doctest: +SKIP
    >>> await rate.turn()          # doctest: +SKIP

    Use one for each object, such as a sink, on the event loop. `calls=None` means that there is no limit.
    """

    def __init__(self, calls: float | None, *, per: float = 1.0) -> None:
        if calls is not None and calls <= 0:
            raise ValueError("at least some calls must be allowed; None is no limit")
        self._pause = 0.0 if calls is None else per / calls
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next call may be made. Waiting callers get their turns in order."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._pause
        if turn > now:
            await asyncio.sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Give no turn for so many seconds: the service has asked for a pause."""
        self._next = max(self._next, asyncio.get_running_loop().time() + seconds)
