"""The page: what is where, and orders, in a browser; the same for programs at `/api/v1`; and figures for Prometheus.

It shows the read model of `status/` and leaves orders through `orders/`, as the command line does. It decides nothing
and knows nothing of the loop: what it needs of the daemon comes as a `Backend`.
"""
