"""What outlives the process: the cluster in a folder."""
