"""The orders that people can give the daemon, and how one is left and answered.

The one way to change anything from outside. The command line uses it; a page or an API can. It carries nothing out: the
daemon does, in `engine/steps/orders.py`.
"""
