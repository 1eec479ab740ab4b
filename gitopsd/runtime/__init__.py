"""WHEN things happen: workers, wakes, back-off, limits, worker processes, signals. Knows no Git and no Kubernetes."""
