-- What a look for work asks of each job that has changed.
DROP INDEX parts_open;
CREATE INDEX parts_by_job_and_state ON parts (job, state, later);
CREATE INDEX jobs_by_duplicate_of ON jobs (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX jobs_to_purge ON jobs (id) WHERE purge_ordered_at IS NOT NULL AND purged_at IS NULL;
