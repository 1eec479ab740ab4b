"""A Kubernetes API server in this process, in memory: for the demo, offline plans and tests."""
