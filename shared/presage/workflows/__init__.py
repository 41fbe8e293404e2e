"""Scheduled work: runs with leases, groups that fan out, and what they could not handle."""
