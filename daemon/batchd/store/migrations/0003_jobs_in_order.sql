-- The oldest jobs of a state, without sorting all that are in it: twenty thousand files may wait to be taken.
DROP INDEX jobs_by_state;
CREATE INDEX jobs_in_order ON jobs (state, claimed_at, id);
