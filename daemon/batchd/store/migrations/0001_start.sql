-- The first schema. Rows are not here but in the spool's files: the database grows with parts, not with rows.
-- Times are seconds since 1970 (wall clock), money is in grains of the currency (batchd/money/pricing.py).

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
    deaths         INTEGER NOT NULL DEFAULT 0,
    round          INTEGER NOT NULL DEFAULT 1,  -- grows with each `retry` of a finished job
    twin           TEXT,           -- an earlier job with the same bytes and route, whose answers are delivered again
    outbox_stem    TEXT,           -- reserved before anything is published, so that a second try finds its own
    archive_name   TEXT,
    estimated_cost INTEGER,
    claimed_at     REAL NOT NULL,
    accepted_at    REAL,
    planned_at     REAL,
    collected_at   REAL,
    finished_at    REAL
) STRICT;

CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_sha256 ON jobs (sha256) WHERE sha256 IS NOT NULL;
-- Two jobs under way never share a name in the outbox; a finished one gives its name free.
CREATE UNIQUE INDEX jobs_by_outbox_stem ON jobs (outbox_stem) WHERE state = 'delivering';
-- One file in the inbox is one job, however often a scan sees it.
CREATE UNIQUE INDEX jobs_being_claimed ON jobs (inbox_path) WHERE state = 'claiming';

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
    deaths         INTEGER NOT NULL DEFAULT 0,
    suspect        INTEGER NOT NULL DEFAULT 0,  -- was in a batch that was refused without a reason: travels alone
    usage          TEXT NOT NULL DEFAULT '[0,0,0]',  -- JSON: input, cached input and output tokens
    wasted         TEXT NOT NULL DEFAULT '[0,0,0]',
    PRIMARY KEY (job, first)
) STRICT, WITHOUT ROWID;

CREATE INDEX parts_by_state ON parts (state);
CREATE INDEX parts_open ON parts (job) WHERE state != 'collected';
CREATE INDEX parts_by_batch ON parts (batch) WHERE batch IS NOT NULL;

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
    others         TEXT NOT NULL DEFAULT '[]',  -- doubles that were found; their answers are used all the same
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
) STRICT;

CREATE INDEX batches_by_state ON batches (state);

-- Which part was in which batch in which attempt, for the story of a job.
CREATE TABLE batch_parts (
    batch          TEXT NOT NULL REFERENCES batches (key) ON DELETE CASCADE,
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    first          INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    PRIMARY KEY (batch, job, first)
) STRICT, WITHOUT ROWID;

CREATE INDEX batch_parts_by_job ON batch_parts (job);

CREATE TABLE deliveries (
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sink           TEXT NOT NULL,
    files          TEXT NOT NULL,  -- JSON: names in the outbox
    delivered_at   REAL NOT NULL,
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

CREATE INDEX events_by_job ON events (job) WHERE job IS NOT NULL;
CREATE INDEX events_by_batch ON events (batch) WHERE batch IS NOT NULL;

-- What people ask of the daemon; it carries them out in order and says what came of it.
CREATE TABLE orders (
    id             INTEGER PRIMARY KEY,
    at             REAL NOT NULL,
    kind           TEXT NOT NULL,
    target         TEXT NOT NULL,
    data           TEXT NOT NULL DEFAULT '{}',
    done_at        REAL,
    answer         TEXT
) STRICT;

CREATE INDEX orders_open ON orders (id) WHERE done_at IS NULL;

-- What keeps batchd waiting right now, a sentence each.
CREATE TABLE conditions (
    subject        TEXT PRIMARY KEY,
    text           TEXT NOT NULL,
    since          REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- One row, so that every start can prove that it can write.
CREATE TABLE heartbeat (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    at             REAL NOT NULL,
    pid            INTEGER NOT NULL
) STRICT;
