"""Whether the daemon on a state folder is alive: 0 if it wrote to its database in the last three minutes, else 1.

It writes every half minute, after a look at its inbox. A container has no watchdog of systemd, so its engine asks this.
"""

import sqlite3
import sys
import time
from pathlib import Path

OLDEST = 180.0


def main(state: str) -> int:
    """The exit status. What is wrong goes to the output, which container engines keep."""
    database = Path(state, "batchd.db")
    try:
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
        try:
            [at] = connection.execute("SELECT at FROM heartbeat").fetchone()
        finally:
            connection.close()
    except (sqlite3.Error, TypeError) as error:
        print(f"{database} cannot be read: {error}")
        return 1
    age = time.time() - at
    print(f"The daemon wrote to its database {age:.0f} s ago.")
    return 0 if age < OLDEST else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "/var/lib/batchd"))
