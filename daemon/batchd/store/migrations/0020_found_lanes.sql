-- How a provider is asked, where nobody has said so: found out, and believed for a day.
CREATE TABLE found_lanes (
    provider    TEXT NOT NULL PRIMARY KEY,
    address     TEXT NOT NULL,
    lane        TEXT NOT NULL,
    at          REAL NOT NULL
) STRICT, WITHOUT ROWID;
