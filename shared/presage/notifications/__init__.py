"""What people are told: written by SQL, worded by one table of templates."""
