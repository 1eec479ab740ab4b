"""Frozen values and the one error tree. Standard library only: nothing here does I/O, reads a clock or knows a plugin."""
