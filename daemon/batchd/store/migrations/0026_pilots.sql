-- Rows that are asked ahead of a job's others: a job whose `trial` is 'pilot' asks some of its rows first, and leaves the
-- parts that come `later` alone until a person has seen the answers. One whose `trial` is 'try' has only such rows.
ALTER TABLE jobs ADD COLUMN trial TEXT;
ALTER TABLE parts ADD COLUMN later INTEGER NOT NULL DEFAULT 0;
