"""What a file would cost and how its answers look, before anything is dropped: `estimate` and `try`."""
