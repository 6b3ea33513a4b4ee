-- When the state was restored from a backup, and when that was made.
CREATE TABLE restored (
    at      REAL PRIMARY KEY,
    made_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- A digest of the rows that a batch asks: the provider is given it, and finds the batch by it, whatever its key is.
ALTER TABLE batches ADD COLUMN rows_key TEXT;
