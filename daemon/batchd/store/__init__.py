"""What the daemon remembers: the database, the spool folder, paid answers. The only place that imports sqlite3."""
