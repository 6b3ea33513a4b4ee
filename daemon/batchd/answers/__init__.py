"""Answers: reads the lines of a provider's output and matches them with rows. Pure."""
