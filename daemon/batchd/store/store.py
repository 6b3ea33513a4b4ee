"""What the daemon knows, in SQLite: jobs, parts, batches, spending, deliveries, events, observers, orders."""

from __future__ import annotations

from .backups.restored import RestoredTable
from .batches import Batches
from .chains import Chains
from .changes import ChangeLog
from .database import Database, Transaction
from .deliveries import Deliveries
from .earlier import Earlier
from .event_log import EventLog
from .identical_rows import IdenticalRows
from .input_files import InputFiles
from .jobs import Jobs
from .learnt import LearntTables
from .money import Money
from .observers import Observers
from .pauses import Pauses
from .pilots import Pilots
from .purging import Purging
from .retention import Retention
from .switching import Switching
from .tries import Tries
from .waiting import Waiting

__all__ = ["Database", "Store", "Transaction"]


class Store:
    """The tables by subject, over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.jobs = Jobs(database)
        self.chains = Chains(database)
        self.deliveries = Deliveries(database)
        self.earlier = Earlier(database)
        self.batches = Batches(database)
        self.waiting = Waiting(database)
        self.changes = ChangeLog(database)
        self.input_files = InputFiles(database)
        self.money = Money(database)
        self.identical_rows = IdenticalRows(database)
        self.pauses = Pauses(database)
        self.pilots = Pilots(database)
        self.purging = Purging(database)
        self.retention = Retention(database)
        self.switching = Switching(database)
        self.tries = Tries(database)
        self.event_log = EventLog(database)
        self.observers = Observers(database)
        self.learnt = LearntTables(database)
        self.restored = RestoredTable(database)

    async def close(self) -> None:
        """Finish what is being written and let go of the file."""
        await self.database.close()
