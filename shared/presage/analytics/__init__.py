"""Statistics of finished days, the board of the best, and the operators' daily report."""
