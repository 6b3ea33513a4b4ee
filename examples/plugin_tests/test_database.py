import sqlite3
from contextlib import closing
from typing import Any

from database import DatabaseSettings, DatabaseSink

from batchd.testing.conformance import SinkConformance


class TestDatabase(SinkConformance):
    def make(self) -> DatabaseSink:
        return DatabaseSink(DatabaseSettings(path=str(self.folder / "results.db")))

    def seen(self) -> Any:
        with closing(sqlite3.connect(self.folder / "results.db")) as database:
            return database.execute("SELECT * FROM results ORDER BY job, row").fetchall()
