"""The objects of a cluster, with their versions and their dependants, and in what kinds differ when they are written."""
