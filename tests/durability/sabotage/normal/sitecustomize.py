"""The database is set to synchronous=NORMAL behind batchd's back, after it has read back that it is FULL."""

from batchd.store import database

_configured = database.configure


async def _sabotaged(connection, path):
    await _configured(connection, path)
    await connection.execute_fetchall("PRAGMA synchronous=NORMAL")


database.configure = _sabotaged
