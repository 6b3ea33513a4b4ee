-- When the files of a job were removed from the outbox, and its original from the archive or the rejected folder.
ALTER TABLE jobs ADD COLUMN outbox_cleared_at REAL;
ALTER TABLE jobs ADD COLUMN original_cleared_at REAL;
