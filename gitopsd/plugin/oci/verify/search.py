"""Where signatures of an artifact lie in its registry: among the referrers, and behind tags made of its digest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from gitopsd.model.errors import Rejected
from gitopsd.plugin.oci.answers import NotFound
from gitopsd.plugin.oci.client import Client
from gitopsd.plugin.oci.manifest import EMPTY, FAILED, Descriptor
from gitopsd.plugin.oci.verify import cosign as forms
from gitopsd.plugin.oci.verify.cosign import Signed

NOTATION = "application/vnd.cncf.notary.signature"
MAX_SIGNATURES = 100
MAX_BYTES = 1 << 20
MAX_TOTAL = 8 << 20


async def cosign(client: Client, digest: str) -> AsyncIterator[Signed]:
    """Bundles first: where one is a signature, those of the older form do not count, as in cosign and Flux."""
    referring = await client.referrers(digest)
    bundled = False
    # A list behind a tag may not say what its entries are, so these are looked at.
    may_be = [r for r in referring if r.artifact_type in {"", EMPTY} or r.artifact_type.startswith(forms.BUNDLE)]
    for layer in await _layers(client, [r.digest for r in may_be], forms.BUNDLE):
        signed = forms.of_bundle(await client.blob(layer, limit=MAX_BYTES))
        if signed is not None and signed.digest:  # others are attestations
            bundled = True
            yield signed
    if bundled:
        return
    kinds = {"application/vnd.dev.cosign.artifact.sig.v1+json", forms.PAYLOAD}
    simple = [r.digest for r in referring if r.artifact_type in kinds]
    for layer in await _layers(client, [*simple, f"{digest.replace(':', '-')}.sig"], forms.PAYLOAD):
        payload = await client.blob(layer, limit=MAX_BYTES)
        if (found := forms.of_payload(payload, layer.annotations)) is not None:
            yield found


async def notation(client: Client, digest: str) -> Sequence[tuple[str, bytes]]:
    """Media type and bytes of every envelope of the Notary Project."""
    referring = await client.referrers(digest, NOTATION)
    layers = await _layers(client, [r.digest for r in referring], "")
    return [(layer.media_type, await client.blob(layer, limit=MAX_BYTES)) for layer in layers]


async def _layers(client: Client, refs: Sequence[str], media_type: str) -> Sequence[Descriptor]:
    """The layers of these manifests whose media type begins so; nothing of a tag that is not there."""
    if len(refs) > MAX_SIGNATURES + 1:
        raise _too_many(client)
    found: list[Descriptor] = []
    for ref in refs:
        try:
            manifest = await client.manifest(ref)
        except NotFound:
            if ":" in ref:
                raise
            continue
        found += [layer for layer in manifest.layers if layer.media_type.startswith(media_type)]
        if len(found) > MAX_SIGNATURES:
            raise _too_many(client)
        if sum(layer.size for layer in found) > MAX_TOTAL:
            raise Rejected(
                f"{client.repository} has more than {MAX_TOTAL >> 20} MiB of signatures of one artifact", reason=FAILED
            )
    return found


def _too_many(client: Client) -> Rejected:
    return Rejected(f"{client.repository} has more than {MAX_SIGNATURES} signatures of one artifact", reason=FAILED)
