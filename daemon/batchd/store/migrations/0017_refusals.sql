-- Attempts of a part that did not count, because the account was refused and no row; and when it may be asked again.
ALTER TABLE parts ADD COLUMN excused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parts ADD COLUMN rest_until REAL;
-- What refusals taught of a model at a provider: enqueued tokens, and requests and bytes of a batch.
CREATE TABLE learnt_limits (
    provider    TEXT NOT NULL,
    model       TEXT NOT NULL,
    tokens      INTEGER,
    requests    INTEGER,
    size        INTEGER,
    refused_at  REAL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;
-- Ways of asking (provider, model, params) that have brought an answer: no batch needs to go ahead alone any more.
CREATE TABLE proven (
    recipe      TEXT PRIMARY KEY,
    at          REAL NOT NULL
) STRICT, WITHOUT ROWID;
