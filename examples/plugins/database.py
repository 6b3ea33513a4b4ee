"""A sink. It puts the rows into a table of a SQLite file, each once, however often a page comes."""

import sqlite3
from contextlib import closing

from batchd import DeliveryJob, Page, PagedSink, Receipt, Register, Settings, cell_text, hookimpl, unique_names


class DatabaseSettings(Settings):
    path: str = "results.db"


class DatabaseSink(PagedSink[DatabaseSettings]):
    Settings = DatabaseSettings

    def write(self, page: Page) -> None:
        names = ['"' + name.replace('"', '""') + '"' for name in unique_names(["job", "row", *page.names])]
        rows = [[page.job.id, row.number, *map(cell_text, row.cells)] for row in page.rows]
        with closing(sqlite3.connect(self.settings.path)) as database, database:
            database.execute(f"CREATE TABLE IF NOT EXISTS results ({', '.join(names)}, PRIMARY KEY (job, row))")
            database.executemany(f"INSERT OR REPLACE INTO results VALUES ({', '.join('?' * len(names))})", rows)

    def receipt(self, job: DeliveryJob, rows: int) -> Receipt:
        return Receipt(self.settings.path, table="results", rows=rows)


@hookimpl
def register_sinks(register: Register) -> None:
    register("database", DatabaseSink)
