"""Places in objects, and which of them name other objects."""
