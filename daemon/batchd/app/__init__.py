"""From a configuration to a running daemon: the only place that puts the parts together, and the loops it runs."""
