"""From a dropped file to a claim: finds files, waits until they are complete, moves them. Reads no rows."""
