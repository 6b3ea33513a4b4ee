-- Which outputs of a file of the same name those of this job take the place of.
ALTER TABLE jobs ADD COLUMN replaces TEXT;
CREATE INDEX jobs_by_source ON jobs (source);
