"""Wallet sign-in and sessions."""
