"""Who signed an artifact of a registry: cosign with keys, cosign without (Sigstore's certificates), and notation.

    by = await verify.check(client, digest, asked, ctx, timeout)      # raises `VerificationFailed`

Signatures are found in the registry and checked in a worker process. Nothing but the registry is asked: no log, no
certificate authority, no list of revoked certificates, no root of trust.
"""

from gitopsd.plugin.oci.verify.signatures import check
from gitopsd.plugin.oci.verify.spec import Asked, Identity, RootedVerification, Verification

__all__ = ["Asked", "Identity", "RootedVerification", "Verification", "check"]
