"""The tasks of worker processes: functions over the working files.

Each takes and returns small plain values, and writes its output by an atomic rename. So it may run twice, or on another
machine that shares the folder.
"""
