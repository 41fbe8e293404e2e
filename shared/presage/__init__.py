"""Presage: an order-book exchange, a Solana indexer and a trading desk, one Lambda an endpoint."""
