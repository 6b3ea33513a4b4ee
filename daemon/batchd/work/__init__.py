"""What worker processes do: functions over files in the spool.

Each takes and returns small plain values and leaves its output by atomic rename, so it may run twice, or
somewhere else on a shared spool.
"""
