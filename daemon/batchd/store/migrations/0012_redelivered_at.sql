-- When a job took over the answers of an earlier one. What that had no answer to is planned and asked after that.
ALTER TABLE jobs ADD COLUMN redelivered_at REAL;
