-- A job may reserve the name of its outputs as soon as it is read, so that a note can tell it: no two jobs have the same.
-- A job that stopped may have kept a name from before.
UPDATE jobs SET outbox_stem = NULL WHERE state NOT IN ('delivering', 'done', 'cancelled');
DROP INDEX jobs_by_outbox_stem;
CREATE UNIQUE INDEX jobs_by_outbox_stem ON jobs (outbox_stem)
WHERE state IN ('claimed', 'planning', 'running', 'held', 'failed', 'delivering');
