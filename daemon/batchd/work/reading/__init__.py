"""Reads a dropped file, whatever it is packed in, into rows.jsonl."""
