"""What a user holds and what it has earned."""
