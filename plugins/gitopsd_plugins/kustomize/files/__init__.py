"""The kustomization file, and the files that it names."""
