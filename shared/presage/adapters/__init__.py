"""Clients of services that are not ours: foreign names stop here."""
