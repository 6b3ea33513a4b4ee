-- The lists of what has changed, for one connection. At first they have all that is not finished.
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE changed_jobs (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE changed_batches (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO changed_jobs SELECT id FROM jobs WHERE state NOT IN ('done', 'cancelled', 'rejected') OR note IS NOT NULL;
INSERT INTO changed_batches
SELECT key FROM batches WHERE state IN ('packed', 'uploaded', 'submitting', 'submitted', 'ended', 'fetched', 'held');

CREATE TEMP TRIGGER job_made AFTER INSERT ON main.jobs
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (NEW.id); END;
CREATE TEMP TRIGGER job_changed AFTER UPDATE ON main.jobs
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (NEW.id); END;
CREATE TEMP TRIGGER job_gone AFTER DELETE ON main.jobs
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (OLD.id); END;
-- Jobs of the same bytes wait for the first of them.
CREATE TEMP TRIGGER job_moved AFTER UPDATE OF state ON main.jobs WHEN NEW.state IS NOT OLD.state
BEGIN INSERT OR IGNORE INTO changed_jobs SELECT id FROM jobs WHERE duplicate_of = NEW.id; END;
-- A job of a chain waits for its later steps.
CREATE TEMP TRIGGER step_moved AFTER UPDATE OF state ON main.jobs
WHEN NEW.parent IS NOT NULL AND NEW.state IS NOT OLD.state
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (NEW.parent); END;
CREATE TEMP TRIGGER part_made AFTER INSERT ON main.parts
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (NEW.job); END;
CREATE TEMP TRIGGER part_changed AFTER UPDATE ON main.parts
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (NEW.job); END;
CREATE TEMP TRIGGER part_gone AFTER DELETE ON main.parts
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (OLD.job); END;
CREATE TEMP TRIGGER delivered AFTER INSERT ON main.deliveries
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (NEW.job); END;
CREATE TEMP TRIGGER undelivered AFTER DELETE ON main.deliveries
BEGIN INSERT OR IGNORE INTO changed_jobs VALUES (OLD.job); END;
CREATE TEMP TRIGGER batch_made AFTER INSERT ON main.batches
BEGIN INSERT OR IGNORE INTO changed_batches VALUES (NEW.key); END;
CREATE TEMP TRIGGER batch_changed AFTER UPDATE ON main.batches
BEGIN INSERT OR IGNORE INTO changed_batches VALUES (NEW.key); END;
CREATE TEMP TRIGGER batch_gone AFTER DELETE ON main.batches
BEGIN INSERT OR IGNORE INTO changed_batches VALUES (OLD.key); END;
