"""A Solana cluster of one node on loopback, with the programme `zmart_core` and Helius' webhooks.

Real are signatures, transactions, and all that the System programme does (solders' LiteSVM);
`zmart_core` runs by its documented rules in Python, on true account bytes and with true logs.
"""
