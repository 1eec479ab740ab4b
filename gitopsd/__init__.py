"""gitopsd keeps Kubernetes clusters equal to what Git, OCI registries, Helm repositories and buckets say."""

__version__ = "0.1.0"
