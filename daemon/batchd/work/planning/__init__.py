"""Turns the rows of a part into requests: what is asked, what is known already, what it can cost."""
