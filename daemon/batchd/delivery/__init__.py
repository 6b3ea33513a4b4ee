"""What people see in the folders: results in the outbox, notes about held jobs, originals in the archive."""
