"""Ways to reach a cluster."""
