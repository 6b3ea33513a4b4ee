"""The files that people see: results in the outbox, notes about held jobs, originals in the archive."""
