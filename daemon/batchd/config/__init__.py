"""config.toml: read, checked as a whole, and edited. Nothing here runs a job."""
