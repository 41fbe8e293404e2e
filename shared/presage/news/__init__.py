"""News from configured feeds, for topics and as evidence."""
