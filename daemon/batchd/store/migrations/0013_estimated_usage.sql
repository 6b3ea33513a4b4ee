-- Answers that the service did not count: their tokens are those that were planned.
ALTER TABLE spending ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
