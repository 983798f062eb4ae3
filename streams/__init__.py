"""Online matching: thin shells round pure functions."""
