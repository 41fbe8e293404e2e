"""Money: accounts and the transfers between them. Double entry, append only, in SQL."""
