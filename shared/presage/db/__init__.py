"""Postgres: one connection an execution environment, one flush a request where it can be."""
