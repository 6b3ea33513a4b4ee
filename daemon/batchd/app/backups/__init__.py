"""Backing a state up while the daemon runs, and restoring it: what goes into the folder, and the way back."""
