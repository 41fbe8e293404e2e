"""The programme's events: taken from transactions, kept, added up and shown."""
