"""Rules that a batch service has for requests; checks and repairs of files of requests."""
