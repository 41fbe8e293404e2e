"""What people say of markets, and its daily snapshots in IPFS."""
