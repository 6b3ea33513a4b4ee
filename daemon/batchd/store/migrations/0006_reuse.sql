-- Rows that were not asked, because the same request was answered before, and what their answers had been billed at.
ALTER TABLE parts ADD COLUMN reused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parts ADD COLUMN saved TEXT NOT NULL DEFAULT '[0,0,0]';
