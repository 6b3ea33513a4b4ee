"""Calls over HTTP, for plugins: settings, faults, refusals, quick retries, records, bounded answers, signed posts."""
