"""Azure's Flux configurations (`Microsoft.KubernetesConfiguration/fluxConfigurations`) as Flux's own objects.

A verb and no hook: `gitopsd import aks`. One configuration means a namespace, a service account with a binding, at most one
Secret, one source and one Kustomization for each entry of its map; so the import is a pure function from what was read to
objects. Every form that such a configuration is kept in is read into the properties of the ARM resource first
(`resource.py`), and only those are mapped.
"""
