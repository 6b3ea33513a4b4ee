-- Rows that are not asked, since the cells that the question is about are empty in them.
ALTER TABLE parts ADD COLUMN empty INTEGER NOT NULL DEFAULT 0;
