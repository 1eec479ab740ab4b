"""A request taken apart, and refusals in the API server's words."""
