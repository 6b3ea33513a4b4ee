-- How far each observer of the configuration has heard the events. Its name in the configuration is its identity.
CREATE TABLE observers (
    name           TEXT PRIMARY KEY,
    cursor         INTEGER NOT NULL,  -- the last event that it heard, or that was not for it
    wanted         TEXT NOT NULL,     -- JSON: kind of event → the last event before it was wanted
    gone_at        REAL               -- since when no configuration names it
) STRICT, WITHOUT ROWID;
