"""What is due: reads what has changed, in the inbox, in jobs, in batches, and names the steps to take."""
