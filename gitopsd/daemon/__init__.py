"""The composition root: only here and in `cli/` is everything known to everything, and is the environment read.

compose.py   settings, plugins, store, worker processes and engine, lent to a body
connect.py   how an engine reaches a cluster: access, sink, lease, records, watches
masked.py    credentials whose values never appear in a log line
serve.py     the daemon: reload, control socket, garbage collection, signals
"""
