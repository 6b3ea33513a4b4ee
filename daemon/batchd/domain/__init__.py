"""The records of batchd (jobs, parts, batches, routes, rows), and the rules for what to do next. Pure."""
