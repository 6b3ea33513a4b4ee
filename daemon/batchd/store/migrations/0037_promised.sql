-- What open parts can cost at most until they are collected, by provider and route: of ten thousand small files each that
-- is admitted asks for these sums. Kept by the database itself, so that they cannot differ from the parts. In two halves
-- of 32 bits, since a sum of whole amounts may need more than 64.
CREATE VIEW open_parts AS
SELECT parts.job, parts.first, parts.batch, parts.state, parts.later, parts.unlimited,
       -- Twice for each row with a live call whose outcome is not known, since it may be paid.
       MIN(4611686018427387904, parts.reserved + CASE WHEN batches.lane = 'live'
           THEN (parts.reserved + batches.requests - 1) / MAX(1, batches.requests)
                * COALESCE(json_extract(batches.details, '$.calls_repeated.rows'), 0) ELSE 0 END) AS reserved,
       -- Of a job that is held or cancelled only what is at a provider counts.
       parts.state IN ('batched', 'answered') OR (jobs.state = 'running' AND NOT jobs.cancelled) AS promised,
       COALESCE(batches.provider, json_extract(jobs.route, '$.provider')) AS provider,
       json_extract(jobs.route, '$.name') AS route
FROM parts JOIN jobs ON jobs.id = parts.job LEFT JOIN batches ON batches.key = parts.batch
WHERE parts.state != 'collected';

CREATE TABLE promised_by_route (
    provider       TEXT NOT NULL,
    route          TEXT NOT NULL,
    high           INTEGER NOT NULL,
    low            INTEGER NOT NULL,
    PRIMARY KEY (provider, route)
) STRICT, WITHOUT ROWID;
INSERT INTO promised_by_route
SELECT provider, route, SUM(reserved >> 32), SUM(reserved & 4294967295) FROM open_parts WHERE promised
GROUP BY provider, route;

-- Each change takes away what was promised before it, and adds what is after it. INSERT OR REPLACE deletes without a
-- trigger, so what is replaced is taken away before the insert. (INSERT OR IGNORE must not be used for parts.)
CREATE TRIGGER part_replaced BEFORE INSERT ON parts
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE job = NEW.job AND first = NEW.first AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER part_promised AFTER INSERT ON parts WHEN NEW.reserved
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, reserved >> 32, reserved & 4294967295 FROM open_parts
    WHERE job = NEW.job AND first = NEW.first AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER part_removed BEFORE DELETE ON parts WHEN OLD.reserved
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE job = OLD.job AND first = OLD.first AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER part_before BEFORE UPDATE OF state, reserved, batch ON parts
WHEN OLD.reserved AND (OLD.reserved != NEW.reserved OR OLD.batch IS NOT NEW.batch
     OR (OLD.state IN ('batched', 'answered')) != (NEW.state IN ('batched', 'answered'))
     OR (OLD.state = 'collected') != (NEW.state = 'collected'))
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE job = OLD.job AND first = OLD.first AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER part_after AFTER UPDATE OF state, reserved, batch ON parts
WHEN NEW.reserved AND (OLD.reserved != NEW.reserved OR OLD.batch IS NOT NEW.batch
     OR (OLD.state IN ('batched', 'answered')) != (NEW.state IN ('batched', 'answered'))
     OR (OLD.state = 'collected') != (NEW.state = 'collected'))
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, reserved >> 32, reserved & 4294967295 FROM open_parts
    WHERE job = NEW.job AND first = NEW.first AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER job_before BEFORE UPDATE OF state, cancelled, route ON jobs
WHEN (OLD.state = 'running') != (NEW.state = 'running') OR OLD.cancelled != NEW.cancelled OR OLD.route != NEW.route
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE job = OLD.id AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER job_after AFTER UPDATE OF state, cancelled, route ON jobs
WHEN (OLD.state = 'running') != (NEW.state = 'running') OR OLD.cancelled != NEW.cancelled OR OLD.route != NEW.route
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, reserved >> 32, reserved & 4294967295 FROM open_parts
    WHERE job = NEW.id AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER batch_before BEFORE UPDATE OF provider, lane, requests, details ON batches
WHEN (OLD.provider, OLD.lane, OLD.requests) != (NEW.provider, NEW.lane, NEW.requests)
     OR json_extract(OLD.details, '$.calls_repeated.rows') IS NOT json_extract(NEW.details, '$.calls_repeated.rows')
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE batch = OLD.key AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
CREATE TRIGGER batch_after AFTER UPDATE OF provider, lane, requests, details ON batches
WHEN (OLD.provider, OLD.lane, OLD.requests) != (NEW.provider, NEW.lane, NEW.requests)
     OR json_extract(OLD.details, '$.calls_repeated.rows') IS NOT json_extract(NEW.details, '$.calls_repeated.rows')
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, reserved >> 32, reserved & 4294967295 FROM open_parts
    WHERE batch = NEW.key AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;
