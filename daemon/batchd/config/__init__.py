"""config.toml: reads it, checks it as a whole, edits single keys. Runs no job."""
