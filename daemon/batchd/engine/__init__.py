"""What drives: looks at the folders and the database, decides by the core, acts through the adapters."""
