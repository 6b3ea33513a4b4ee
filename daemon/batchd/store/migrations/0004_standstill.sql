-- What tells a batch that stands still at its provider from one that takes its time. Each is a moment, as JSON.

ALTER TABLE batches ADD COLUMN heard TEXT;     -- when its provider last said anything of it
ALTER TABLE batches ADD COLUMN progress TEXT;  -- since when that has been the same
ALTER TABLE batches ADD COLUMN stopping TEXT;  -- when it was first to be stopped there
