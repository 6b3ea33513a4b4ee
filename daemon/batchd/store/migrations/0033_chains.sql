-- A job whose route names another one hands its answered rows on to a job of that route, which is its step: `parent` is the
-- job of the step before, `family` the job that took the file, and delivers what came of all of them.
ALTER TABLE jobs ADD COLUMN parent TEXT;
ALTER TABLE jobs ADD COLUMN family TEXT;
CREATE INDEX jobs_by_family ON jobs (family) WHERE family IS NOT NULL;
-- The columns of its own answers, once those of the later steps are joined to them; and of each part the results file with
-- its own outcomes alone.
ALTER TABLE jobs ADD COLUMN step_columns TEXT;
ALTER TABLE parts ADD COLUMN step_results INTEGER NOT NULL DEFAULT 0;
-- While the later steps are asked, the name of the outputs stays reserved.
DROP INDEX jobs_by_outbox_stem;
CREATE UNIQUE INDEX jobs_by_outbox_stem ON jobs (outbox_stem)
WHERE state IN ('claimed', 'planning', 'running', 'held', 'failed', 'chained', 'delivering');
