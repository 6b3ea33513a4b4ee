-- When the working files of a finished job were removed. Until now a size of -1 said that they were, and not when.
ALTER TABLE jobs ADD COLUMN swept_at REAL;
UPDATE jobs SET swept_at = COALESCE(finished_at, claimed_at), size = COALESCE(json_extract(stamp, '$[1]'), 0)
WHERE size < 0;
