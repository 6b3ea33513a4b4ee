-- What is spent, what may still be spent, and who allowed it. Money is in grains of the currency.

ALTER TABLE jobs ADD COLUMN terms TEXT;        -- JSON: what its model cost when it was admitted; NULL: not known
ALTER TABLE jobs ADD COLUMN approved INTEGER;  -- what a person allows it to cost in all; NULL: nobody was asked
ALTER TABLE jobs ADD COLUMN note TEXT;         -- the name of the note that lies in the held folder for it

-- Of the current attempt: the most it can cost, until it is collected; that is what it has reserved.
ALTER TABLE parts ADD COLUMN most_cost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parts ADD COLUMN counted_tokens INTEGER NOT NULL DEFAULT 0;  -- input tokens before any correction
ALTER TABLE parts ADD COLUMN longest INTEGER NOT NULL DEFAULT 0;         -- input tokens of its longest request
ALTER TABLE parts ADD COLUMN unlimited INTEGER NOT NULL DEFAULT 0;       -- requests that set no limit to their answers

ALTER TABLE batches ADD COLUMN usage TEXT;     -- JSON: the tokens that the provider counts for the batch, if it does

-- A line a part and attempt, written with its collection: what its answers cost, at the terms they ran under.
CREATE TABLE spending (
    job            TEXT NOT NULL,
    first          INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    batch          TEXT,
    at             REAL NOT NULL,
    route          TEXT NOT NULL,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    terms          TEXT NOT NULL,     -- batch or live
    currency       TEXT NOT NULL,
    answers        INTEGER NOT NULL,  -- how many were billed
    input_tokens   INTEGER NOT NULL,
    cached_tokens  INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    wasted_input   INTEGER NOT NULL,  -- of these, what answered no row
    wasted_output  INTEGER NOT NULL,
    cost           INTEGER,           -- NULL: the price was not known
    wasted_cost    INTEGER,
    live_cost      INTEGER,           -- what the same would have cost in live calls
    PRIMARY KEY (job, first, attempt)
) STRICT, WITHOUT ROWID;

CREATE INDEX spending_by_time ON spending (at);
CREATE INDEX spending_by_batch ON spending (batch) WHERE batch IS NOT NULL;

-- How far counted input tokens are from those that services bill, by provider and model.
CREATE TABLE calibration (
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    estimated      INTEGER NOT NULL,
    actual         INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_with_a_note ON jobs (id) WHERE note IS NOT NULL;
