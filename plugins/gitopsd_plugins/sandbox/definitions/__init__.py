"""Custom resource definitions: which resources they add, and what may be wrong with them and their objects."""
