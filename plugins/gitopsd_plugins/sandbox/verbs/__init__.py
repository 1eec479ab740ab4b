"""What a request does to the cluster."""
