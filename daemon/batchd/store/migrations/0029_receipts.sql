-- Where a sink has put the rows, as it says itself; JSON.
ALTER TABLE deliveries ADD COLUMN receipt TEXT;
