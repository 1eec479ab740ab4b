"""Kubernetes' types as data: schemas, resources, quantities, names, how they are encoded, and what is read by them."""
