-- How many creates of a batch had a definite answer that was no success. The key that the next create carries counts
-- them: it stays the same while an outcome is unknown, so that a service which knows it makes no second batch.
ALTER TABLE batches ADD COLUMN create_answers INTEGER NOT NULL DEFAULT 0;
