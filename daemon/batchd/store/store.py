"""What the daemon knows, in SQLite: jobs, parts, batches, spending, deliveries, events, observers, orders."""

from __future__ import annotations

from .backups.restored import RestoredTable
from .changes import ChangeLog
from .database import Database, Transaction
from .tables.batches import Batches
from .tables.chains import Chains
from .tables.deliveries import Deliveries
from .tables.event_log import EventLog
from .tables.gathering import Gathering
from .tables.jobs import Jobs
from .tables.learnt import LearntTables
from .tables.money import Money
from .tables.observers import Observers
from .tables.pauses import Pauses
from .tables.purging import Purging
from .tables.retention import Retention
from .tables.switching import Switching
from .tables.trials import Trials
from .tables.waiting import Waiting

__all__ = ["Database", "Store", "Transaction"]


class Store:
    """The tables by subject, over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.jobs = Jobs(database)
        self.gathering = Gathering(database)
        self.chains = Chains(database)
        self.deliveries = Deliveries(database)
        self.batches = Batches(database)
        self.waiting = Waiting(database)
        self.changes = ChangeLog(database)
        self.money = Money(database)
        self.pauses = Pauses(database)
        self.purging = Purging(database)
        self.retention = Retention(database)
        self.switching = Switching(database)
        self.trials = Trials(database)
        self.event_log = EventLog(database)
        self.observers = Observers(database)
        self.learnt = LearntTables(database)
        self.restored = RestoredTable(database)

    async def close(self) -> None:
        """Finish the write under way and close the database."""
        await self.database.close()
