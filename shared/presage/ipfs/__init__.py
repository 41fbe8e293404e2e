"""Content identifiers of single blocks: made, read and checked without a node."""
