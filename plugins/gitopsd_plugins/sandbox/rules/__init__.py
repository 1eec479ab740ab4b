"""What may be wrong with an object, kind by kind, and what is only warned of."""
