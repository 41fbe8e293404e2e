"""Outside prices: kept as they come, and deciding the markets whose rule names them."""
