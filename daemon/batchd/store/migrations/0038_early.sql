-- Rows of a large file that may be sent while its others are planned, and how many are to be planned before the next are.
ALTER TABLE jobs ADD COLUMN early_rows INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN early_from INTEGER;
