"""The Kustomization object: its fields, overlay, variables and status."""
