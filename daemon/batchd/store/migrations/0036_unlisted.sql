-- How many creates of unknown outcome of a batch its provider's list did not show.
ALTER TABLE batches ADD COLUMN unlisted INTEGER NOT NULL DEFAULT 0;
