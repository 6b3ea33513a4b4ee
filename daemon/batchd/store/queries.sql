-- Queries that need some thought, by name. Plain inserts and updates of single rows are written where they are made.

-- name: heartbeat
INSERT INTO heartbeat (id, at, pid) VALUES (1, :at, :pid)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, pid = excluded.pid

-- name: job
SELECT * FROM jobs WHERE id = :id

-- name: changed_jobs
SELECT id FROM changed_jobs

-- name: changed_batches
SELECT key FROM changed_batches

-- name: forget_changed_jobs
DELETE FROM changed_jobs

-- name: forget_changed_batches
DELETE FROM changed_batches

-- name: changed_jobs_in_work
-- `has_work` is true for all jobs that `next_actions` has an action for, and for some others. It is false for jobs that
-- only wait for a batch or a person.
SELECT id, state, claimed_at, route, late_at,
       CASE state
       WHEN 'claiming' THEN 1
       WHEN 'claimed' THEN 1
       WHEN 'rejecting' THEN 1
       WHEN 'delivering' THEN 1
       -- Jobs of the same bytes wait for the first of them.
       WHEN 'planning' THEN NOT EXISTS (
           SELECT 1 FROM jobs AS first WHERE first.id = jobs.duplicate_of
           AND jobs.redelivered_at IS NULL AND jobs.planned_at IS NULL
           AND first.state NOT IN ('done', 'cancelled', 'rejected', 'failed'))
       WHEN 'running' THEN
           EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state = 'answered')
           OR EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state = 'unplanned'
                      AND (jobs.cancelled OR NOT parts.later))
           OR (jobs.cancelled AND EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state = 'planned'))
           OR NOT EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.later = 0
                          AND parts.state IN ('unplanned', 'planned', 'batched', 'answered'))
       -- The parts of a held job that a provider works on are collected all the same.
       WHEN 'held' THEN
           note IS NULL
           OR EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state = 'answered')
           OR (COALESCE(reason_code, '') NOT IN ('pilot', 'useless')
               AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.later = 0
                               AND parts.state IN ('unplanned', 'planned', 'batched', 'answered')))
       -- All steps that follow have ended.
       WHEN 'chained' THEN NOT EXISTS (
           SELECT 1 FROM jobs AS step WHERE step.family = COALESCE(jobs.family, jobs.id)
           AND step.parent = jobs.id AND step.state NOT IN ('done', 'cancelled'))
       WHEN 'failed' THEN trial IS 'try'
       ELSE 0 END OR (note IS NOT NULL AND state != 'held') AS has_work,
       NOT cancelled AND (state = 'running' OR (state = 'planning' AND early_from > 0))
       AND EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state = 'planned'
                   AND (jobs.state = 'running' OR parts.first < jobs.early_rows)) AS waiting
FROM jobs WHERE id IN (SELECT id FROM changed_jobs)

-- name: changed_batches_in_work
-- No finished batches, and of held batches only those that may go on by themselves.
SELECT * FROM batches WHERE key IN (SELECT key FROM changed_batches)
  AND (state IN ('packed', 'uploaded', 'submitting', 'submitted', 'ended', 'fetched')
       OR (state = 'held' AND held_for IN ('account', 'answers')))

-- name: sinks_waited_for
SELECT DISTINCT value AS sink FROM jobs, json_each(jobs.route, '$.sinks') WHERE state = 'delivering'

-- name: part_counts
SELECT state, later, COUNT(*) AS number, MIN(first) AS first FROM parts WHERE job = :job GROUP BY state, later

-- name: workable_parts
-- Answers first: collecting frees the disk and may finish the job.
SELECT * FROM (SELECT * FROM parts WHERE job = :job AND state = 'answered' AND later = 0 ORDER BY first LIMIT :most)
UNION ALL
SELECT * FROM (SELECT * FROM parts WHERE job = :job AND state = 'unplanned' AND later = 0 ORDER BY first LIMIT :most)
LIMIT :most

-- name: parts
SELECT * FROM parts WHERE job = :job ORDER BY first

-- name: part
SELECT * FROM parts WHERE job = :job AND first = :first

-- name: duplicate_of
-- The job whose answers this one can take over: the same bytes, the very same route, and its answers are there or on
-- their way. A job that only took over the answers of another job does not count: the other one does. It counts if
-- there are rows that it asks itself, or will have to.
-- Best is a job with an answer to every row; else the newest, which had the answers of those before it.
-- Only jobs that were accepted before this one, so that no two wait for each other.
SELECT id, cancelled FROM jobs
WHERE sha256 = :sha256 AND id != :id AND swept_at IS NULL
  -- The route of a job that went to a fallback names the fallback now.
  AND (route = :route
       OR json_set(route, '$.provider', json_extract(before_fallback, '$.provider'),
                   '$.model', json_extract(before_fallback, '$.model')) = :route)
  AND state NOT IN ('rejecting', 'rejected', 'failed')
  AND (:accepted_at IS NULL OR (accepted_at, id) < (:accepted_at, :id))
  AND CASE
      WHEN duplicate_of IS NULL THEN 1
      WHEN COALESCE(redelivered_at, planned_at) IS NULL THEN EXISTS (
          SELECT 1 FROM jobs AS first WHERE first.id = jobs.duplicate_of AND first.state IN ('done', 'cancelled')
          AND EXISTS (SELECT 1 FROM parts WHERE parts.job = first.id AND parts.ok + parts.empty < parts.rows))
      ELSE EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND (parts.state != 'collected' OR parts.requests > 0))
      END
ORDER BY state = 'done' AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.ok + parts.empty < parts.rows) DESC,
         accepted_at DESC, id DESC
LIMIT 1

-- name: reserve_name
UPDATE jobs SET outbox_stem = :outbox_stem
WHERE id = :job AND outbox_stem IS NULL AND state IN ('planning', 'running', 'held', 'failed')

-- name: earlier_outputs
SELECT outbox_stem FROM jobs
WHERE source = :source AND (claimed_at, id) < (:claimed_at, :id) AND outbox_stem IS NOT NULL
  AND state IN ('delivering', 'done', 'cancelled')
ORDER BY claimed_at DESC, id DESC LIMIT 1

-- name: earlier_rejected
-- Without a name that a file has that was rejected since: the one before it is gone from there.
SELECT id, archive_name FROM jobs
WHERE source = :source AND (claimed_at, id) < (:claimed_at, :id) AND state = 'rejected' AND archive_name IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM jobs AS later WHERE later.archive_name = jobs.archive_name
                  AND later.state IN ('rejecting', 'rejected')
                  AND (later.finished_at IS NULL OR later.finished_at > jobs.finished_at))

-- name: originals_of_others
SELECT DISTINCT archive_name FROM jobs
WHERE archive_name IN (SELECT value FROM json_each(:names)) AND id != :job AND state NOT IN ('rejecting', 'rejected')

-- name: delivered_sinks
SELECT sink, files, receipt FROM deliveries WHERE job = :job ORDER BY delivered_at, sink

-- name: claiming_paths
-- Files that are to be taken out of the inbox and still lie there.
SELECT inbox_path FROM jobs WHERE state = 'claiming'

-- name: forget_job
DELETE FROM jobs WHERE id = :id AND state = 'claiming'

-- name: delete_parts
DELETE FROM parts WHERE job = :job

-- name: skip_open_parts
-- A cancelled job's parts that no provider is working on: their rows without an answer will be skipped.
UPDATE parts SET state = 'collected', batch = NULL, later = 0
WHERE job = :job AND state IN ('unplanned', 'planned')
  AND EXISTS (SELECT 1 FROM jobs WHERE id = :job AND cancelled)

-- name: waste_spending
UPDATE spending SET wasted_input = input_tokens, wasted_output = output_tokens, wasted_cost = cost WHERE job = :job

-- name: ask_later_parts
UPDATE parts SET later = 0 WHERE job = :job

-- name: waiting_parts
-- Planned parts of a job that waits for batches, with what packing needs to know.
SELECT job, first, parts.requests, parts.size, input_tokens, output_tokens, suspect, rest_until,
       jobs.state = 'planning' AS more
FROM parts JOIN jobs ON jobs.id = parts.job
WHERE job = :job AND parts.state = 'planned'
  AND (jobs.state = 'running' OR (early_from > 0 AND first < early_rows))
ORDER BY first

-- name: waiting_part
SELECT parts.* FROM parts JOIN jobs ON jobs.id = parts.job
WHERE parts.job = :job AND parts.first = :first
  AND parts.state = 'planned' AND NOT jobs.cancelled
  AND (jobs.state = 'running' OR (jobs.state = 'planning' AND jobs.early_from > 0 AND parts.first < jobs.early_rows))
  AND (:lane = 'live' OR jobs.late_at IS NULL) AND json_extract(jobs.route, '$.provider') = :provider

-- name: jobs_with_deadline
-- Jobs of these routes that may have rows to be answered, the oldest first.
SELECT id, json_extract(route, '$.name') AS route, json_extract(route, '$.provider') AS provider, accepted_at,
       before_fallback IS NOT NULL AS moved
FROM jobs
WHERE state = 'running' AND NOT cancelled AND late_at IS NULL AND accepted_at IS NOT NULL
  AND json_extract(route, '$.name') IN (SELECT value FROM json_each(:routes))
ORDER BY accepted_at, id

-- name: jobs_to_move
-- Jobs of these routes with rows that their provider does not hold: in no batch, in one that was not sent, or in our own
-- journals of live calls.
SELECT id, json_extract(route, '$.name') AS route, json_extract(route, '$.provider') AS provider
FROM jobs
WHERE state = 'running' AND NOT cancelled AND before_fallback IS NULL
  AND json_extract(route, '$.name') IN (SELECT value FROM json_each(:routes))
  AND EXISTS (SELECT 1 FROM parts LEFT JOIN batches ON batches.key = parts.batch
              WHERE parts.job = jobs.id
                AND (parts.state IN ('planned', 'unplanned')
                     OR (parts.state = 'batched' AND batches.cut_at IS NULL
                         AND (batches.state IN ('packed', 'uploaded') OR batches.lane = 'live'))))
ORDER BY claimed_at, id

-- name: cut_batches
-- The job is late: its batches that are sent, or may be sent, are to be ended.
UPDATE batches SET cut_at = :at
WHERE cut_at IS NULL AND lane = 'batch' AND state IN ('packed', 'uploaded', 'submitting', 'submitted', 'held')
  AND key IN (SELECT batch FROM parts WHERE job = :job AND state = 'batched')

-- name: cut_what_is_here
-- The job goes to another provider: unsent batches are taken back, and batches of live calls begin no more calls.
UPDATE batches SET cut_at = :at
WHERE cut_at IS NULL
  AND (state IN ('packed', 'uploaded') OR (lane = 'live' AND state IN ('submitting', 'submitted', 'held')))
  AND key IN (SELECT batch FROM parts WHERE job = :job AND state = 'batched')

-- name: plan_again
-- The requests of the job's planned parts are for the provider that it asked before.
UPDATE parts SET state = 'unplanned' WHERE job = :job AND state = 'planned'

-- name: plan_moved_parts_again
-- Parts that come back from a batch, and whose job now asks another provider.
UPDATE parts SET state = 'unplanned'
WHERE state = 'planned'
  AND (job, first) IN (
      SELECT batch_parts.job, batch_parts.first FROM batch_parts
      JOIN batches ON batches.key = batch_parts.batch JOIN jobs ON jobs.id = batch_parts.job
      WHERE batch_parts.batch = :batch AND batches.provider != json_extract(jobs.route, '$.provider'))

-- name: enqueued_tokens
-- Tokens that are enqueued or about to be, by provider and model.
SELECT provider, model, SUM(input_tokens) AS tokens FROM batches
WHERE lane = 'batch' AND state IN ('packed', 'uploaded', 'submitting', 'submitted', 'held')
GROUP BY provider, model

-- name: enqueued_with
-- Tokens that are enqueued for a model, or were when the batch that is refused now was created.
SELECT COALESCE(SUM(input_tokens), 0) AS tokens FROM batches
WHERE provider = :provider AND model = :model
  AND (state NOT IN ('done', 'returned', 'ended', 'fetched', 'packed', 'uploaded') OR ended_at >= :since)

-- name: found_lane
SELECT lane, at FROM found_lanes WHERE provider = :provider AND address = :address

-- name: price_again
-- Jobs of a provider with rows that are still to be sent there, at other prices than they were admitted at.
UPDATE jobs SET state = 'planning'
WHERE state = 'running' AND NOT cancelled AND json_extract(route, '$.provider') = :provider
  AND EXISTS (SELECT 1 FROM parts WHERE parts.job = jobs.id AND parts.state IN ('planned', 'unplanned'))

-- name: open_live
-- Open batches of live calls, by provider, model, endpoint and job.
SELECT provider, model, endpoint, batch_parts.job, COUNT(*) AS batches
FROM batches JOIN batch_parts ON batch_parts.batch = batches.key
WHERE lane = 'live' AND state IN ('packed', 'uploaded', 'submitting', 'submitted')
GROUP BY provider, model, endpoint, batch_parts.job

-- name: has_sent
SELECT key FROM batches WHERE provider = :provider AND remote IS NOT NULL LIMIT 1

-- name: last_sent
SELECT key FROM batches WHERE provider = :provider AND remote IS NOT NULL AND lane = 'batch'
ORDER BY submitted_at DESC LIMIT 1

-- name: with_remote
SELECT key FROM batches WHERE provider = :provider AND remote = :remote LIMIT 1

-- name: held_as_copy
SELECT key FROM batches WHERE state = 'held' AND held_for = 'copy' AND provider = :provider LIMIT 1

-- name: next_batch_key
SELECT key FROM next_batch_keys WHERE provider = :provider

-- name: keep_next_batch_key
INSERT INTO next_batch_keys (provider, key) VALUES (:provider, :key)
ON CONFLICT (provider) DO UPDATE SET key = excluded.key

-- name: batch
SELECT * FROM batches WHERE key = :key

-- name: parts_of_batch
SELECT * FROM parts WHERE batch = :batch AND state = 'batched' ORDER BY job, first

-- name: release_batch
-- The batch never ran: its parts wait for the next one, with the request files that they have.
UPDATE parts SET state = 'planned', batch = NULL WHERE batch = :batch AND state = 'batched'

-- name: unwanted_batches
-- A batch is unwanted if every job in it is cancelled.
UPDATE batches SET wanted = 0
WHERE wanted AND state NOT IN ('done', 'returned')
  AND key IN (SELECT batch FROM parts WHERE job = :job AND state = 'batched')
  AND NOT EXISTS (SELECT 1 FROM parts JOIN jobs ON jobs.id = parts.job
                  WHERE parts.batch = batches.key AND parts.state = 'batched' AND NOT jobs.cancelled)

-- name: note_input_file
INSERT OR IGNORE INTO input_files (batch) VALUES (:batch)

-- name: input_files_left
SELECT batches.* FROM input_files JOIN batches ON batches.key = input_files.batch
WHERE state IN ('returned', 'fetched', 'done')
ORDER BY created_at, key

-- name: input_file_deleted
DELETE FROM input_files WHERE batch = :batch

-- name: release_unwanted_parts
-- Parts of unwanted or cut batches that are not sent need not be sent at all.
UPDATE parts SET state = 'planned', batch = NULL
WHERE state = 'batched'
  AND batch IN (SELECT key FROM batches WHERE (NOT wanted OR cut_at IS NOT NULL) AND state IN ('packed', 'uploaded'))

-- name: return_unwanted_batches
UPDATE batches SET state = 'returned',
       reason = CASE WHEN wanted THEN 'it was not sent yet, and its rows are asked in another way' ELSE 'cancelled before it was sent' END
WHERE (NOT wanted OR cut_at IS NOT NULL) AND state IN ('packed', 'uploaded')

-- name: distribute_batch
UPDATE parts SET state = 'answered' WHERE batch = :batch AND state = 'batched'

-- name: open_orders
SELECT * FROM orders WHERE done_at IS NULL ORDER BY id

-- name: conditions
SELECT * FROM conditions ORDER BY since, subject

-- name: raise_condition
INSERT INTO conditions (subject, text, since) VALUES (:subject, :text, :since)
ON CONFLICT (subject) DO UPDATE SET text = excluded.text

-- name: renew_condition
UPDATE conditions SET text = :text, since = :since WHERE subject = :subject

-- name: clear_condition
DELETE FROM conditions WHERE subject = :subject

-- name: expired_jobs
-- Finished jobs whose spool is not kept any longer.
SELECT id FROM jobs WHERE state IN ('done', 'cancelled', 'rejected') AND finished_at < :before AND swept_at IS NULL
  -- A step is kept as long as the job that took the file, since that job's rows may be asked again.
  AND NOT EXISTS (SELECT 1 FROM jobs AS first WHERE first.id = jobs.family AND first.swept_at IS NULL)

-- name: family
-- A job that took a file, and the later steps of its chain in their order.
SELECT * FROM jobs WHERE id = :family OR family = :family ORDER BY family IS NOT NULL, accepted_at, id

-- name: steps_of
SELECT * FROM jobs WHERE family = :family AND parent = :parent ORDER BY accepted_at, id

-- name: jobs_to_purge
SELECT * FROM jobs WHERE purge_ordered_at IS NOT NULL AND purged_at IS NULL ORDER BY purge_ordered_at, id

-- name: same_answers
SELECT * FROM jobs WHERE purged_at IS NULL AND swept_at IS NULL AND id != :job
  AND (duplicate_of = :job OR id = (SELECT duplicate_of FROM jobs WHERE id = :job))
ORDER BY id

-- name: mark_swept
UPDATE jobs SET swept_at = :at WHERE id = :job AND swept_at IS NULL

-- name: job_totals
SELECT COUNT(*) AS parts, COALESCE(SUM(rows), 0) AS rows, COALESCE(SUM(ok), 0) AS ok,
       COALESCE(SUM(failed), 0) AS failed, COALESCE(SUM(empty), 0) AS empty
FROM parts WHERE job = :job

-- name: batches_of_job
SELECT DISTINCT batches.* FROM batches JOIN batch_parts ON batch_parts.batch = batches.key
WHERE batch_parts.job = :job OR batch_parts.job IN (SELECT id FROM jobs WHERE family = :job)
ORDER BY batches.created_at, batches.key

-- name: returned_before
SELECT DISTINCT batches.* FROM batch_parts AS ours
JOIN batch_parts AS before USING (job, first, attempt)
JOIN batches ON batches.key = before.batch
WHERE ours.batch = :batch AND before.batch != :batch AND batches.state = 'returned'

-- name: delete_deliveries
DELETE FROM deliveries WHERE job = :job

-- name: cancel_step
UPDATE jobs SET cancelled = 1, state = CASE WHEN state = 'chained' THEN 'chained' ELSE 'running' END
WHERE id = :job AND NOT cancelled AND state NOT IN ('done', 'cancelled')

-- name: delete_published
-- A skipped sink stays skipped under another name.
DELETE FROM deliveries WHERE job = :job AND NOT skipped

-- name: job_ids
SELECT id FROM jobs

-- name: finished_jobs
SELECT id, finished_at FROM jobs WHERE state IN ('done', 'cancelled', 'rejected')

-- name: account
-- What is spent, and what is promised. An open part of a job that may be sent, or a part that is at a provider, reserves
-- what it can cost at most until it is collected. Of a held job only the parts at a provider count.
-- Spending that is stamped later than now counts as today's.
SELECT
    (SELECT COALESCE(MONEY(cost), 0) FROM spending
     WHERE job = :family OR job IN (SELECT id FROM jobs WHERE family = :family)) AS job,
    spent.*, promised.*, of_family.*
FROM (SELECT
          COALESCE(MONEY(cost WHERE day >= :day / 86400), 0) AS today,
          COALESCE(MONEY(cost), 0) AS month,
          COALESCE(MONEY(cost WHERE day >= :day / 86400 AND provider = :provider), 0) AS provider_today,
          COALESCE(MONEY(cost WHERE provider = :provider), 0) AS provider_month,
          COALESCE(MONEY(cost WHERE day >= :day / 86400 AND route = :route), 0) AS route_today,
          COALESCE(MONEY(cost WHERE route = :route), 0) AS route_month
      FROM spent_by_day WHERE day >= :month / 86400 AND currency = :currency) AS spent,
     (SELECT
          COALESCE(MONEY(high, low), 0) AS reserved,
          COALESCE(MONEY(high, low WHERE provider = :provider), 0) AS provider_reserved,
          COALESCE(MONEY(high, low WHERE route = :route), 0) AS route_reserved
      FROM (SELECT provider, route, high, low FROM promised_by_route
            UNION ALL
            SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
            WHERE job = :job AND promised)) AS promised,
     (SELECT COALESCE(MONEY(reserved), 0) AS family_reserved FROM open_parts
      WHERE job != :job AND job IN (SELECT :family UNION ALL SELECT id FROM jobs WHERE family = :family) AND promised) AS of_family

-- name: spent_on_job
SELECT COALESCE(MONEY(cost), 0) AS job FROM spending WHERE job = :job

-- name: own_open_parts
-- What the job itself may still cost at most.
SELECT COALESCE(MONEY(reserved), 0) AS reserved, COALESCE(SUM(unlimited), 0) AS unlimited,
       COUNT(*) FILTER (WHERE state = 'unplanned' AND NOT later) AS unplanned, COUNT(*) AS parts
FROM open_parts WHERE job = :job

-- name: spending_of_job
-- Of a job, and of the later steps of the chain of this family.
-- NULL money of one line makes the sum NULL: a sum of what is known would be taken for the whole.
SELECT COALESCE(SUM(answers), 0) AS answers,
       COALESCE(SUM(input_tokens), 0) AS input_tokens, COALESCE(SUM(cached_tokens), 0) AS cached_tokens,
       COALESCE(SUM(output_tokens), 0) AS output_tokens,
       COALESCE(SUM(wasted_input), 0) AS wasted_input, COALESCE(SUM(wasted_output), 0) AS wasted_output,
       CASE WHEN COUNT(cost) = COUNT(*) THEN MONEY(cost) END AS cost,
       CASE WHEN COUNT(wasted_cost) = COUNT(*) THEN MONEY(wasted_cost) END AS wasted_cost,
       CASE WHEN COUNT(live_cost) = COUNT(*) THEN MONEY(live_cost) END AS live_cost,
       COALESCE(SUM(estimated), 0) AS estimated
FROM spending WHERE job = :job OR job IN (SELECT id FROM jobs WHERE family = :family)

-- name: spending_by_provider
SELECT provider, model, lane, SUM(answers) AS answers, CASE WHEN COUNT(cost) = COUNT(*) THEN MONEY(cost) END AS cost
FROM spending WHERE job = :job OR job IN (SELECT id FROM jobs WHERE family = :job)
GROUP BY provider, model, lane ORDER BY MIN(at), provider, model, lane

-- name: batch_bill
-- What the answers of a batch were billed at, once every part of it is collected; nothing before.
SELECT SUM(input_tokens) AS input_tokens, SUM(cached_tokens) AS cached_tokens, SUM(output_tokens) AS output_tokens,
       SUM(estimated) AS estimated
FROM spending
WHERE batch = :batch
  AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.batch = :batch AND parts.state IN ('batched', 'answered'))
HAVING COUNT(*) > 0

-- name: calibration
SELECT estimated, actual FROM calibration WHERE provider = :provider AND model = :model

-- name: calibrate
INSERT INTO calibration (provider, model, estimated, actual) VALUES (:provider, :model, :estimated, :actual)
ON CONFLICT (provider, model) DO UPDATE
SET estimated = estimated + excluded.estimated, actual = actual + excluded.actual

-- name: held_jobs
SELECT * FROM jobs WHERE state = 'held' ORDER BY claimed_at, id

-- name: jobs_waiting_for_budget
-- Held, but not only for a person: they go on by themselves once there is money, or are judged once there is a price,
-- or once their question was approved with another job.
SELECT id FROM jobs WHERE state = 'held' AND (reason_code LIKE 'waits:%' OR reason_code IN ('price_unknown', 'question_changed')) ORDER BY claimed_at, id

-- name: question_of
SELECT sha256 FROM questions WHERE route = :route AND folder = :folder

-- name: place_of_batch
-- How many jobs a batch has rows of, and whether it is the first of one of them; those that never ran do not count.
SELECT (SELECT COUNT(DISTINCT job) FROM batch_parts WHERE batch = :batch) AS jobs,
       EXISTS (
           SELECT 1 FROM (SELECT DISTINCT job FROM batch_parts WHERE batch = :batch) AS ours
           JOIN batches AS us ON us.key = :batch
           WHERE NOT EXISTS (
               SELECT 1 FROM batch_parts JOIN batches AS other ON other.key = batch_parts.batch
               WHERE batch_parts.job = ours.job AND other.state <> 'returned'
                 AND (other.created_at, other.key) < (us.created_at, us.key)
           )
       ) AS is_first

-- name: last_event
SELECT COALESCE(MAX(id), 0) AS id FROM events

-- name: events_for_observer
SELECT id, at, kind, job, batch, data FROM events
WHERE id > :after AND id <= :upto AND kind IN (SELECT value FROM json_each(:kinds))
    AND (:routes IS NULL OR job IS NULL
        OR (SELECT json_extract(route, '$.name') FROM jobs WHERE jobs.id = events.job) IN (SELECT value FROM json_each(:routes)))
ORDER BY id LIMIT :most

-- name: observer
SELECT * FROM observers WHERE name = :name

-- name: observer_heard
UPDATE observers SET cursor = :cursor WHERE name = :name AND cursor < :cursor

-- name: observers_are_gone
UPDATE observers SET gone_at = :now
WHERE gone_at IS NULL AND name NOT IN (SELECT value FROM json_each(:names))

-- name: forget_observers
DELETE FROM observers WHERE gone_at < :before

-- name: learnt_limits
SELECT * FROM learnt_limits ORDER BY provider, model

-- name: proven
SELECT recipe FROM proven

-- name: routes_of_batch
SELECT DISTINCT jobs.route FROM parts JOIN jobs ON jobs.id = parts.job WHERE parts.batch = :batch

-- name: answered_jobs_of_batch
SELECT 1 FROM parts JOIN jobs ON jobs.id = parts.job JOIN parts AS other ON other.job = parts.job
WHERE parts.batch = :batch AND other.ok > 0 AND jobs.reason_code IS NOT 'useless' LIMIT 1

-- name: routes_under_way
SELECT jobs.route, MIN(batches.created_at) AS since
FROM parts JOIN jobs ON jobs.id = parts.job JOIN batches ON batches.key = parts.batch
WHERE parts.state IN ('batched', 'answered')
GROUP BY jobs.route

-- name: last_restored
SELECT at, made_at FROM restored ORDER BY at DESC LIMIT 1

-- name: kept_jobs
SELECT id FROM jobs WHERE state IN ('done', 'cancelled', 'rejected') AND swept_at IS NULL

-- name: published_of_open_jobs
SELECT job, sink, files FROM deliveries JOIN jobs ON jobs.id = deliveries.job
WHERE NOT skipped AND jobs.state NOT IN ('done', 'cancelled', 'rejected')

-- name: delete_delivery
DELETE FROM deliveries WHERE job = :job AND sink = :sink

-- name: paused_batches
-- Batches that hold a row of what is paused: those that were not sent, and live calls that are under way.
SELECT DISTINCT batches.key, batches.state FROM batches
JOIN parts ON parts.batch = batches.key JOIN jobs ON jobs.id = parts.job
WHERE (batches.state IN ('packed', 'uploaded')
       OR (batches.lane = 'live' AND batches.state IN ('submitting', 'submitted'))) AND parts.state = 'batched'
  AND (:everything OR 'provider ' || batches.provider IN (SELECT value FROM json_each(:names))
       OR 'route ' || json_extract(jobs.route, '$.name') IN (SELECT value FROM json_each(:names)))

-- name: live_batches_of_routes
SELECT DISTINCT batches.key AS batch, json_extract(jobs.route, '$.name') AS route, jobs.claimed_at, jobs.late_at
FROM batches JOIN parts ON parts.batch = batches.key JOIN jobs ON jobs.id = parts.job
WHERE batches.lane = 'live' AND batches.state IN ('submitting', 'submitted') AND parts.state = 'batched'
  AND json_extract(jobs.route, '$.name') IN (SELECT value FROM json_each(:names))

-- name: jobs_of_batch
SELECT DISTINCT parts.batch, json_extract(jobs.route, '$.name') AS route, jobs.claimed_at, jobs.late_at
FROM parts JOIN jobs ON jobs.id = parts.job WHERE parts.batch = :batch

-- name: old_outputs
-- Jobs that took a file and ended before this time, and whose results were not removed since.
SELECT id, source, finished_at FROM jobs
WHERE state IN ('done', 'cancelled') AND family IS NULL AND trial IS NOT 'try' AND finished_at < :before
  AND COALESCE(outbox_cleared_at, 0) < finished_at AND (finished_at, id) > (:after_at, :after_job)
ORDER BY finished_at, id LIMIT :most

-- name: old_originals
-- The originals of such jobs. A name that another job has in the same folder, with a newer original or one that is still
-- to come, belongs to that job. A rejected job's name is in the rejected folder, all others are in the archive.
SELECT id, source, finished_at, archive_name, sha256 FROM jobs
WHERE archive_name IS NOT NULL AND family IS NULL AND finished_at < :before
  AND CASE WHEN :rejected THEN state = 'rejected' ELSE state IN ('done', 'cancelled') END
  AND COALESCE(original_cleared_at, 0) < finished_at AND (finished_at, id) > (:after_at, :after_job)
  AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.archive_name = jobs.archive_name AND other.id != jobs.id
                  AND (other.state IN ('rejecting', 'rejected')) = :rejected
                  AND (other.finished_at IS NULL OR other.finished_at > jobs.finished_at))
ORDER BY finished_at, id LIMIT :most

-- name: published_by
SELECT data FROM events WHERE job = :job AND kind IN ('JobDelivered', 'JobFinished')

-- name: held_by
-- Why the job was held: for a pilot, that names the file with its answers.
SELECT id, data FROM events WHERE job = :job AND kind = 'JobHeld'

-- name: held_since
-- Why other jobs were held after this event.
SELECT id, data FROM events WHERE id > :id AND kind = 'JobHeld' AND job != :job

-- name: published_since
-- What other jobs of the same file published, if they have not ended, or not before this time.
SELECT events.data FROM events JOIN jobs ON jobs.id = events.job
WHERE events.kind = 'JobDelivered' AND jobs.source = :source AND jobs.id != :job
  AND (jobs.finished_at IS NULL OR jobs.finished_at >= :before)
