-- The whole schema, with which a new database begins. Made from the steps in migrations/ by `make schema`.

CREATE TABLE batch_parts (
    batch          TEXT NOT NULL REFERENCES batches (key) ON DELETE CASCADE,
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    first          INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    PRIMARY KEY (batch, job, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    key            TEXT PRIMARY KEY,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    endpoint       TEXT NOT NULL,
    state          TEXT NOT NULL,
    requests       INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    input_tokens   INTEGER NOT NULL,
    created_at     REAL NOT NULL,
    uploads        INTEGER NOT NULL DEFAULT 0,
    upload         TEXT,           -- what the provider calls the input file; committed before the create call
    intent         TEXT,           -- JSON: when the create call was allowed to go out; committed before it
    looks          INTEGER NOT NULL DEFAULT 0,
    remote         TEXT,           -- what the provider calls the batch
    extra_remotes         TEXT NOT NULL DEFAULT '[]',  -- doubles that were found; their answers are used all the same
    phase          TEXT,
    completed      INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    total          INTEGER NOT NULL DEFAULT 0,
    details        TEXT NOT NULL DEFAULT '{}',
    problems       TEXT NOT NULL DEFAULT '[]',
    wanted         INTEGER NOT NULL DEFAULT 1,
    reason         TEXT,
    submitted_at   REAL,
    ended_at       REAL
, usage TEXT, heard TEXT, progress TEXT, stopping TEXT, lane TEXT NOT NULL DEFAULT 'batch', fingerprint TEXT NOT NULL DEFAULT '{}', held_for TEXT, answers_until REAL, cut_at REAL, create_answers INTEGER NOT NULL DEFAULT 0, rows_key TEXT, unlisted INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE calibration (
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    estimated      INTEGER NOT NULL,
    actual         INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE conditions (
    subject        TEXT PRIMARY KEY,
    text           TEXT NOT NULL,
    since          REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sink           TEXT NOT NULL,
    files          TEXT NOT NULL,  -- JSON: names in the outbox
    delivered_at   REAL NOT NULL, skipped INTEGER NOT NULL DEFAULT 0, receipt TEXT,
    PRIMARY KEY (job, sink)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    id             INTEGER PRIMARY KEY,
    at             REAL NOT NULL,
    kind           TEXT NOT NULL,
    job            TEXT,
    batch          TEXT,
    data           TEXT NOT NULL
) STRICT;

CREATE TABLE found_lanes (
    provider    TEXT NOT NULL PRIMARY KEY,
    address     TEXT NOT NULL,
    lane        TEXT NOT NULL,
    at          REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE heartbeat (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    at             REAL NOT NULL,
    pid            INTEGER NOT NULL
) STRICT;

CREATE TABLE input_files (
    batch  TEXT PRIMARY KEY REFERENCES batches (key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id             TEXT PRIMARY KEY,
    state          TEXT NOT NULL,
    source         TEXT NOT NULL,  -- the path in the inbox, as people see it
    inbox_path     BLOB NOT NULL,  -- the same, byte for byte: a name need not be valid text
    stamp          TEXT NOT NULL,  -- JSON: inode, size, mtime and ctime when it had settled
    size           INTEGER NOT NULL,
    route          TEXT NOT NULL,  -- JSON: the route as it was when the file was taken
    rows           INTEGER,        -- counted once, at intake; everything later must add up to it
    columns        TEXT NOT NULL DEFAULT '[]',
    answer_columns TEXT NOT NULL DEFAULT '[]',
    sha256         TEXT,
    description    TEXT NOT NULL DEFAULT '{}',
    reason_code    TEXT,
    reason         TEXT,
    cancelled      INTEGER NOT NULL DEFAULT 0,
    worker_crashes         INTEGER NOT NULL DEFAULT 0,
    retry_round          INTEGER NOT NULL DEFAULT 1,  -- grows with each `retry` of a finished job
    duplicate_of           TEXT,           -- an earlier job with the same bytes and route, whose answers are delivered again
    outbox_stem    TEXT,           -- reserved before anything is published, so that a second try finds its own
    archive_name   TEXT,
    estimated_cost INTEGER,
    claimed_at     REAL NOT NULL,
    accepted_at    REAL,
    planned_at     REAL,
    collected_at   REAL,
    finished_at    REAL
, terms TEXT, approved INTEGER, note TEXT, swept_at REAL, redelivered_at REAL, dialect TEXT, purge_ordered_at REAL, purged_at REAL, purge_result TEXT, replaces TEXT, late_at REAL, before_fallback TEXT, trial TEXT, parent TEXT, family TEXT, step_columns TEXT, outbox_cleared_at REAL, original_cleared_at REAL, early_rows INTEGER NOT NULL DEFAULT 0, early_from INTEGER) STRICT;

CREATE TABLE learnt_limits (
    provider    TEXT NOT NULL,
    model       TEXT NOT NULL,
    tokens      INTEGER,
    requests    INTEGER,
    size        INTEGER,
    refused_at  REAL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE next_batch_keys (
    provider TEXT PRIMARY KEY,
    key TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE observers (
    name           TEXT PRIMARY KEY,
    cursor         INTEGER NOT NULL,  -- the last event that it heard, or that was not for it
    wanted         TEXT NOT NULL,     -- JSON: kind of event → the last event before it was wanted
    gone_at        REAL               -- since when no configuration names it
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id             INTEGER PRIMARY KEY,
    at             REAL NOT NULL,
    kind           TEXT NOT NULL,
    target         TEXT NOT NULL,
    data           TEXT NOT NULL DEFAULT '{}',
    done_at        REAL,
    answer         TEXT
, refused INTEGER NOT NULL DEFAULT 0, who TEXT, door TEXT) STRICT;

CREATE TABLE parts (
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    first          INTEGER NOT NULL,
    rows           INTEGER NOT NULL,
    "offset"       INTEGER NOT NULL,
    length         INTEGER NOT NULL,
    state          TEXT NOT NULL,
    attempt        INTEGER NOT NULL DEFAULT 1,
    results        INTEGER NOT NULL DEFAULT 0,
    ok             INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    requests       INTEGER NOT NULL DEFAULT 0,
    size           INTEGER NOT NULL DEFAULT 0,
    input_tokens   INTEGER NOT NULL DEFAULT 0,
    output_tokens  INTEGER NOT NULL DEFAULT 0,
    batch          TEXT REFERENCES batches (key),
    worker_crashes         INTEGER NOT NULL DEFAULT 0,
    suspect        INTEGER NOT NULL DEFAULT 0,  -- was in a batch that was refused without a reason: travels alone
    usage          TEXT NOT NULL DEFAULT '[0,0,0]',  -- JSON: input, cached input and output tokens
    wasted         TEXT NOT NULL DEFAULT '[0,0,0]', reserved INTEGER NOT NULL DEFAULT 0, counted_tokens INTEGER NOT NULL DEFAULT 0, longest INTEGER NOT NULL DEFAULT 0, unlimited INTEGER NOT NULL DEFAULT 0, reused INTEGER NOT NULL DEFAULT 0, saved TEXT NOT NULL DEFAULT '[0,0,0]', excused INTEGER NOT NULL DEFAULT 0, rest_until REAL, later INTEGER NOT NULL DEFAULT 0, empty INTEGER NOT NULL DEFAULT 0, step_results INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE promised_by_route (
    provider       TEXT NOT NULL,
    route          TEXT NOT NULL,
    high           INTEGER NOT NULL,
    low            INTEGER NOT NULL,
    PRIMARY KEY (provider, route)
) STRICT, WITHOUT ROWID;

CREATE TABLE proven (
    recipe      TEXT PRIMARY KEY,
    at          REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE questions (
    route   TEXT NOT NULL,
    folder  TEXT NOT NULL,
    sha256  TEXT NOT NULL,
    at      REAL NOT NULL,
    PRIMARY KEY (route, folder)
) STRICT, WITHOUT ROWID;

CREATE TABLE restored (
    at      REAL PRIMARY KEY,
    made_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE spending (
    job            TEXT NOT NULL,
    first          INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    batch          TEXT,
    at             REAL NOT NULL,
    route          TEXT NOT NULL,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    lane          TEXT NOT NULL,     -- batch or live
    currency       TEXT NOT NULL,
    answers        INTEGER NOT NULL,  -- how many were billed
    input_tokens   INTEGER NOT NULL,
    cached_tokens  INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    wasted_input   INTEGER NOT NULL,  -- of these, what answered no row
    wasted_output  INTEGER NOT NULL,
    cost           INTEGER,           -- NULL: the price was not known
    wasted_cost    INTEGER,
    live_cost      INTEGER, estimated INTEGER NOT NULL DEFAULT 0,           -- what the same would have cost in live calls
    PRIMARY KEY (job, first, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE spent_by_day (
    day            INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    provider       TEXT NOT NULL,
    route          TEXT NOT NULL,
    cost           INTEGER NOT NULL,
    PRIMARY KEY (day, currency, provider, route)
) STRICT, WITHOUT ROWID;

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

CREATE INDEX batch_parts_by_job ON batch_parts (job);

CREATE INDEX batches_by_state ON batches (state);

CREATE INDEX events_by_batch ON events (batch) WHERE batch IS NOT NULL;

CREATE INDEX events_by_job ON events (job) WHERE job IS NOT NULL;

CREATE UNIQUE INDEX jobs_being_claimed ON jobs (inbox_path) WHERE state = 'claiming';

CREATE INDEX jobs_by_duplicate_of ON jobs (duplicate_of) WHERE duplicate_of IS NOT NULL;

CREATE INDEX jobs_by_family ON jobs (family) WHERE family IS NOT NULL;

CREATE UNIQUE INDEX jobs_by_outbox_stem ON jobs (outbox_stem)
WHERE state IN ('claimed', 'planning', 'running', 'held', 'failed', 'chained', 'delivering');

CREATE INDEX jobs_by_sha256 ON jobs (sha256) WHERE sha256 IS NOT NULL;

CREATE INDEX jobs_by_source ON jobs (source);

CREATE INDEX jobs_in_order ON jobs (state, claimed_at, id);

CREATE INDEX jobs_to_purge ON jobs (id) WHERE purge_ordered_at IS NOT NULL AND purged_at IS NULL;

CREATE INDEX jobs_with_a_note ON jobs (id) WHERE note IS NOT NULL;

CREATE INDEX orders_open ON orders (id) WHERE done_at IS NULL;

CREATE INDEX parts_by_batch ON parts (batch) WHERE batch IS NOT NULL;

CREATE INDEX parts_by_job_and_state ON parts (job, state, later);

CREATE INDEX parts_by_state ON parts (state);

CREATE INDEX spending_by_batch ON spending (batch) WHERE batch IS NOT NULL;

CREATE INDEX spending_by_time ON spending (at);

CREATE TRIGGER batch_after AFTER UPDATE OF provider, lane, requests, details ON batches
WHEN (OLD.provider, OLD.lane, OLD.requests) != (NEW.provider, NEW.lane, NEW.requests)
     OR json_extract(OLD.details, '$.calls_repeated.rows') IS NOT json_extract(NEW.details, '$.calls_repeated.rows')
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, reserved >> 32, reserved & 4294967295 FROM open_parts
    WHERE batch = NEW.key AND promised
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

CREATE TRIGGER job_after AFTER UPDATE OF state, cancelled, route ON jobs
WHEN (OLD.state = 'running') != (NEW.state = 'running') OR OLD.cancelled != NEW.cancelled OR OLD.route != NEW.route
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, reserved >> 32, reserved & 4294967295 FROM open_parts
    WHERE job = NEW.id AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;

CREATE TRIGGER job_before BEFORE UPDATE OF state, cancelled, route ON jobs
WHEN (OLD.state = 'running') != (NEW.state = 'running') OR OLD.cancelled != NEW.cancelled OR OLD.route != NEW.route
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE job = OLD.id AND promised
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

CREATE TRIGGER part_before BEFORE UPDATE OF state, reserved, batch ON parts
WHEN OLD.reserved AND (OLD.reserved != NEW.reserved OR OLD.batch IS NOT NEW.batch
     OR (OLD.state IN ('batched', 'answered')) != (NEW.state IN ('batched', 'answered'))
     OR (OLD.state = 'collected') != (NEW.state = 'collected'))
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE job = OLD.job AND first = OLD.first AND promised
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

CREATE TRIGGER part_replaced BEFORE INSERT ON parts
BEGIN
    INSERT INTO promised_by_route SELECT provider, route, -(reserved >> 32), -(reserved & 4294967295) FROM open_parts
    WHERE job = NEW.job AND first = NEW.first AND promised
    ON CONFLICT DO UPDATE SET high = high + excluded.high, low = low + excluded.low;
END;

CREATE TRIGGER spending_by_day AFTER INSERT ON spending WHEN NEW.cost IS NOT NULL
BEGIN
    INSERT INTO spent_by_day (day, currency, provider, route, cost)
    VALUES (CAST(NEW.at / 86400 AS INTEGER), NEW.currency, NEW.provider, NEW.route, NEW.cost)
    ON CONFLICT (day, currency, provider, route) DO UPDATE SET cost = MIN(4611686018427387904, cost + excluded.cost);
END;

CREATE TRIGGER spending_by_day_anew AFTER UPDATE ON spending
BEGIN
    UPDATE spent_by_day SET cost = cost - COALESCE(OLD.cost, 0)
    WHERE (day, currency, provider, route) = (CAST(OLD.at / 86400 AS INTEGER), OLD.currency, OLD.provider, OLD.route);
    INSERT INTO spent_by_day (day, currency, provider, route, cost)
    VALUES (CAST(NEW.at / 86400 AS INTEGER), NEW.currency, NEW.provider, NEW.route, COALESCE(NEW.cost, 0))
    ON CONFLICT (day, currency, provider, route) DO UPDATE SET cost = MIN(4611686018427387904, cost + excluded.cost);
END;

CREATE TRIGGER spending_by_day_less AFTER DELETE ON spending WHEN OLD.cost IS NOT NULL
BEGIN
    UPDATE spent_by_day SET cost = cost - OLD.cost
    WHERE (day, currency, provider, route) = (CAST(OLD.at / 86400 AS INTEGER), OLD.currency, OLD.provider, OLD.route);
END;
