-- Queries with a thought in them, by name. Plain inserts and updates of single rows are written where they are made.

-- name: heartbeat
INSERT INTO heartbeat (id, at, pid) VALUES (1, :at, :pid)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, pid = excluded.pid

-- name: job
SELECT * FROM jobs WHERE id = :id

-- name: jobs_with_work
-- A superset of the jobs that `next_actions` has something for: those that only wait for a batch or a person are
-- left out, so that ten thousand waiting jobs cost nothing. The oldest first.
SELECT * FROM jobs
WHERE state IN ('claiming', 'claimed', 'rejecting', 'planning', 'delivering')
   OR (state = 'running'
       AND (EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id
                    AND (parts.state IN ('unplanned', 'answered') OR (jobs.cancelled AND parts.state = 'planned')))
            OR NOT EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state != 'collected')))
ORDER BY claimed_at, id
LIMIT :most

-- name: part_counts
SELECT state, COUNT(*) AS number FROM parts WHERE job = :job GROUP BY state

-- name: workable_parts
-- Answers first: collecting frees the disk and may finish the job.
SELECT * FROM parts WHERE job = :job AND state IN ('answered', 'unplanned')
ORDER BY state = 'unplanned', first
LIMIT :most

-- name: parts
SELECT * FROM parts WHERE job = :job ORDER BY first

-- name: part
SELECT * FROM parts WHERE job = :job AND first = :first

-- name: twin
-- The first accepted job with the same bytes and the very same route, if its answers are there or on their way.
SELECT id FROM jobs
WHERE sha256 = :sha256 AND route = :route AND id != :id AND size >= 0 AND NOT cancelled
  AND state NOT IN ('rejecting', 'rejected', 'cancelled', 'failed')
ORDER BY accepted_at, id
LIMIT 1

-- name: delivered_sinks
SELECT sink, files FROM deliveries WHERE job = :job ORDER BY delivered_at, sink

-- name: claiming_paths
SELECT inbox_path FROM jobs WHERE state = 'claiming'

-- name: forget_job
DELETE FROM jobs WHERE id = :id AND state = 'claiming'

-- name: delete_parts
DELETE FROM parts WHERE job = :job

-- name: skip_open_parts
-- A cancelled job's parts that no provider is working on: their rows without an answer will be skipped.
UPDATE parts SET state = 'collected', batch = NULL
WHERE job = :job AND state IN ('unplanned', 'planned')
  AND EXISTS (SELECT 1 FROM jobs WHERE id = :job AND cancelled)

-- name: waiting_parts
-- Planned parts that wait for a batch, with what packing needs to know. Oldest job first.
SELECT parts.*, jobs.claimed_at, jobs.route FROM parts JOIN jobs ON jobs.id = parts.job
WHERE parts.state = 'planned' AND jobs.state = 'running' AND NOT jobs.cancelled
ORDER BY jobs.claimed_at, jobs.id, parts.first

-- name: waiting_part
SELECT parts.* FROM parts JOIN jobs ON jobs.id = parts.job
WHERE parts.job = :job AND parts.first = :first
  AND parts.state = 'planned' AND jobs.state = 'running' AND NOT jobs.cancelled

-- name: enqueued_tokens
-- What is enqueued or about to be, by provider and model.
SELECT provider, model, SUM(input_tokens) AS tokens FROM batches
WHERE state NOT IN ('done', 'returned', 'ended', 'fetched')
GROUP BY provider, model

-- name: batches_with_work
SELECT * FROM batches WHERE state NOT IN ('done', 'returned', 'held') ORDER BY created_at, key

-- name: batch
SELECT * FROM batches WHERE key = :key

-- name: parts_of_batch
SELECT * FROM parts WHERE batch = :batch AND state = 'batched' ORDER BY job, first

-- name: release_batch
-- The batch never ran: its parts wait for the next one, with the request files that they have.
UPDATE parts SET state = 'planned', batch = NULL WHERE batch = :batch AND state = 'batched'

-- name: unwanted_batches
-- A batch nobody wants: every job in it is cancelled.
UPDATE batches SET wanted = 0
WHERE wanted AND state NOT IN ('done', 'returned')
  AND key IN (SELECT batch FROM parts WHERE job = :job AND state = 'batched')
  AND NOT EXISTS (SELECT 1 FROM parts JOIN jobs ON jobs.id = parts.job
                  WHERE parts.batch = batches.key AND parts.state = 'batched' AND NOT jobs.cancelled)

-- name: release_unwanted_parts
-- What has not been sent need not be sent at all.
UPDATE parts SET state = 'planned', batch = NULL
WHERE state = 'batched'
  AND batch IN (SELECT key FROM batches WHERE NOT wanted AND state IN ('packed', 'uploaded'))

-- name: return_unwanted_batches
UPDATE batches SET state = 'returned', reason = 'cancelled before it was sent'
WHERE NOT wanted AND state IN ('packed', 'uploaded')

-- name: deal_batch
UPDATE parts SET state = 'answered' WHERE batch = :batch AND state = 'batched'

-- name: open_orders
SELECT * FROM orders WHERE done_at IS NULL ORDER BY id

-- name: conditions
SELECT * FROM conditions ORDER BY since, subject

-- name: raise_condition
INSERT INTO conditions (subject, text, since) VALUES (:subject, :text, :since)
ON CONFLICT (subject) DO UPDATE SET text = excluded.text

-- name: clear_condition
DELETE FROM conditions WHERE subject = :subject

-- name: expired_jobs
-- Finished jobs whose spool is not kept any longer.
SELECT id FROM jobs WHERE state IN ('done', 'cancelled', 'rejected') AND finished_at < :before AND size >= 0

-- name: job_totals
SELECT COUNT(*) AS parts, COALESCE(SUM(rows), 0) AS rows, COALESCE(SUM(ok), 0) AS ok,
       COALESCE(SUM(failed), 0) AS failed
FROM parts WHERE job = :job

-- name: batches_of_job
SELECT DISTINCT batches.* FROM batches JOIN batch_parts ON batch_parts.batch = batches.key
WHERE batch_parts.job = :job ORDER BY batches.created_at, batches.key

-- name: returned_before
SELECT DISTINCT batches.* FROM batch_parts AS ours
JOIN batch_parts AS before USING (job, first, attempt)
JOIN batches ON batches.key = before.batch
WHERE ours.batch = :batch AND before.batch != :batch AND batches.state = 'returned'

-- name: delete_deliveries
DELETE FROM deliveries WHERE job = :job

-- name: job_ids
SELECT id FROM jobs

-- name: finished_job_ids
SELECT id FROM jobs WHERE state IN ('done', 'cancelled', 'rejected')
