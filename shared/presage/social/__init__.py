"""What people keep an eye on: bookmarks and follows."""
