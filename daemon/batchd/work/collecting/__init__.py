"""Turns downloaded answers into results: which row a line answers, what it means, what the sinks write."""
