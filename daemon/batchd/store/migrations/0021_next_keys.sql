-- The key that the next batch for a provider will have. An older copy of the database gives the same key again, and the
-- provider has a batch of that key already: so a copy that was restored is noticed.
CREATE TABLE next_batch_keys (
    provider TEXT PRIMARY KEY,
    key TEXT NOT NULL
) STRICT, WITHOUT ROWID;
