"""The directory's objects as answers and as questions."""
