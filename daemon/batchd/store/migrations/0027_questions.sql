-- The question of each folder that a job was sent with last: a job with another one is held until a person approves it.
CREATE TABLE questions (
    route   TEXT NOT NULL,
    folder  TEXT NOT NULL,
    sha256  TEXT NOT NULL,
    at      REAL NOT NULL,
    PRIMARY KEY (route, folder)
) STRICT, WITHOUT ROWID;
