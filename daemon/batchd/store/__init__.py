"""What the daemon remembers: the SQLite database and the spool folder. The only place that imports sqlite3."""
