-- That a person wants everything of a finished job deleted, when that was done, and what came of it.
ALTER TABLE jobs ADD COLUMN purge_ordered_at REAL;
ALTER TABLE jobs ADD COLUMN purged_at REAL;
ALTER TABLE jobs ADD COLUMN purge_result TEXT;
