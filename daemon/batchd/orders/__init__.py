"""The orders that people can give the daemon, and how one is left and answered.

An order is the only way to change anything from outside; the command line and the page leave them. Nothing is carried
out here: the daemon does that, in `engine/steps/orders.py`.
"""
