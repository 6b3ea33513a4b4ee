"""Calls over HTTP, for plugins: settings, faults and refusals, quick retries, bounded answers, signed posts."""
