"""A look at the database from outside the daemon: synchronous, read-only, and quick to import.

The command line needs none of what `store/` brings (asyncio, aiosqlite, the contracts), and `batchd status`
must answer in the time that importing them would take. The only thing that it writes is an order for the daemon.
"""

from __future__ import annotations
