-- What tells a batch that stands still at its provider from one that takes its time.

ALTER TABLE batches ADD COLUMN progress TEXT;  -- JSON: when the provider last said anything new of it
ALTER TABLE batches ADD COLUMN stopping TEXT;  -- JSON: when it was first to be stopped there
