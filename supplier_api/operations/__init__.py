"""What keeps an installation well: copies of its database, and the way back."""
