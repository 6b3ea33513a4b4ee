-- Sinks that a person has taken out of a job: nothing is published through them, under no name.
ALTER TABLE deliveries ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
