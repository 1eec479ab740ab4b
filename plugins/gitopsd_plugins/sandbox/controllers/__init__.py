"""What happens by itself in a cluster, in miniature: one task that looks at objects when they change or when it is time.

`loop.py` feeds each changed object to the controllers that `registry.py` names. A controller is a plain function
`(cluster, stored, now) -> seconds | None`: it writes what should be and says when to look again. They are level-based:
run twice, they do nothing the second time. They know the cluster; the cluster does not know them.
"""
