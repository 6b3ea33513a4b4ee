-- Columns and fields of events are called what the rest of batchd calls them.
ALTER TABLE jobs RENAME COLUMN deaths TO worker_crashes;
ALTER TABLE jobs RENAME COLUMN round TO retry_round;
ALTER TABLE jobs RENAME COLUMN twin TO duplicate_of;
ALTER TABLE parts RENAME COLUMN deaths TO worker_crashes;
ALTER TABLE parts RENAME COLUMN most_cost TO reserved;
ALTER TABLE batches RENAME COLUMN others TO extra_remotes;
UPDATE events SET data = json_set(json_remove(data, '$.twin'), '$.duplicate_of', json_extract(data, '$.twin'))
WHERE kind IN ('JobAccepted', 'JobRedelivered') AND json_type(data, '$.twin') IS NOT NULL;
UPDATE events SET data = json_set(json_remove(data, '$.others'), '$.extra_remotes', json_extract(data, '$.others'))
WHERE kind = 'BatchFound' AND json_type(data, '$.others') IS NOT NULL;
