"""What a kustomization does to objects: generators, patches, built-in transformers."""
