"""Votes: on markets that are proposed, and on outcomes that are disputed."""
