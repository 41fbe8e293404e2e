"""Markets: their life, their books as the public sees them, and their history."""
