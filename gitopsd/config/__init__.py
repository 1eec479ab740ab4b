"""The file home: YAML files -> settings and declared objects, and the secrets that they name.

It knows files and gitopsd's own kinds; what a Flux kind means is asked of its `Kind`. It starts nothing and writes nothing.
"""
