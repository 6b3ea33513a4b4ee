"""Money: prices, budgets, estimates, token counts. Sends nothing."""
