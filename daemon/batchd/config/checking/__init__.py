"""What `check` and the start look for in a configuration that reads well: facts of services, and plugins tried."""
