"""What it costs: prices, budgets, estimates, token counts. Nothing here sends anything."""
