"""Turns downloaded answers into results: which line is whose, what it means, what the sinks write."""
