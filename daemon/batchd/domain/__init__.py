"""The nouns of batchd and the life of a job: jobs, parts, batches, routes, rows, names. Pure."""
