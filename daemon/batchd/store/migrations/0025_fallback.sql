-- Whom a job asked, and at what prices, before it went to the fallback of its route; JSON.
ALTER TABLE jobs ADD COLUMN before_fallback TEXT;
