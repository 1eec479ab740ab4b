"""What stays on the local disk: trees, rendered sets, marks and status, all of it a cache; and the ledger, which is not."""

from gitopsd.store.store import Store

__all__ = ["Store"]
