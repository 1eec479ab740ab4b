"""Every `gitopsd.io/*` key that gitopsd reads or writes, in one table; `docs/configuration.md` explains each."""

from __future__ import annotations

GROUP = "gitopsd.io"

# On applied objects: whose they are.
OWNER_INSTANCE = "gitopsd.io/instance"
OWNER_KIND = "gitopsd.io/kind"
OWNER_NAMESPACE = "gitopsd.io/namespace"
OWNER_NAME = "gitopsd.io/name"
OWNER_FULL = "gitopsd.io/owner"
"""Annotation with the owner's full name where a label had to be hashed (over 63 characters)."""

# On declared objects: our extensions of Flux's kinds.
ADOPT = "gitopsd.io/adopt"
APPROVE = "gitopsd.io/approve"
ATOMIC = "gitopsd.io/atomic"
CLUSTER = "gitopsd.io/cluster"
DELETE = "gitopsd.io/delete"
DEPENDS_ON = "gitopsd.io/depends-on"
DRIFT = "gitopsd.io/drift"
REASON = "gitopsd.io/reason"
SOPS_MAC = "gitopsd.io/sops-mac"
STAGE_KINDS = "gitopsd.io/stage-kinds"
SUBSTITUTE = "gitopsd.io/substitute"
SUSPEND = "gitopsd.io/suspend"
DECLARED = frozenset(
    {ADOPT, APPROVE, ATOMIC, CLUSTER, DELETE, DEPENDS_ON, DRIFT, REASON, SOPS_MAC, STAGE_KINDS, SUBSTITUTE, SUSPEND}
)
"""All that a declared object may carry; another key of our group is most likely misspelt."""
REQUESTS = "reconcile.fluxcd.io/"
"""Flux's annotations by which a person asks a cluster's object for something now."""
