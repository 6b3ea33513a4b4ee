-- Since when a job's rows are asked by live calls, and when a batch was to be ended early: batches would have been late.
ALTER TABLE jobs ADD COLUMN late_at REAL;
ALTER TABLE batches ADD COLUMN cut_at REAL;
-- By when a job is to be done is what the configuration says, as it is at that moment.
UPDATE jobs SET route = json_remove(route, '$.finish_within') WHERE json_type(route, '$.finish_within') IS NOT NULL;
