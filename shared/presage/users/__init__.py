"""People by wallet: what the chain says of one, and the exchange to its owner."""
