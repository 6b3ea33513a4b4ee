-- How requests are asked, and so paid: batch, live or what will come. The name, not a yes or no.
ALTER TABLE batches ADD COLUMN lane TEXT NOT NULL DEFAULT 'batch';
ALTER TABLE spending RENAME COLUMN terms TO lane;
