-- Whose batch it is: keyed fingerprints of the key, the address and the like, as JSON; why a person must decide about
-- it; and until when the provider keeps its answers.
ALTER TABLE batches ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '{}';
ALTER TABLE batches ADD COLUMN held_for TEXT;  -- NULL: whether it was created
ALTER TABLE batches ADD COLUMN answers_until REAL;
