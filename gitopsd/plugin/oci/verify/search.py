"""Where signatures of an artifact lie in its registry: among the referrers, and behind tags made of its digest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from gitopsd.model.errors import Rejected
from gitopsd.plugin.oci.answers import NotFound
from gitopsd.plugin.oci.client import Client
from gitopsd.plugin.oci.manifest import EMPTY, FAILED, Descriptor, Manifest
from gitopsd.plugin.oci.verify import cosign as forms
from gitopsd.plugin.oci.verify.cosign import Signed

NOTATION = "application/vnd.cncf.notary.signature"
MAX_SIGNATURES = 100
MAX_BYTES = 1 << 20


async def cosign(client: Client, digest: str) -> AsyncIterator[Signed]:
    """Bundles first: where one is a signature, those of the older form do not count, as in cosign and Flux."""
    referring = await client.referrers(digest)
    bundled = False
    for layer in await _bundles(client, referring):
        signed = forms.of_bundle(await client.blob(layer, limit=MAX_BYTES))
        if signed is not None and signed.digest:  # others are attestations
            bundled = True
            yield signed
    if bundled:
        return
    for manifest in await _simple(client, digest, referring):
        for layer in _few(client, manifest.layers):
            if layer.media_type == forms.PAYLOAD:
                payload = await client.blob(layer, limit=MAX_BYTES)
                if (found := forms.of_payload(payload, layer.annotations)) is not None:
                    yield found


async def notation(client: Client, digest: str) -> Sequence[tuple[str, bytes]]:
    """Media type and bytes of every envelope of the Notary Project."""
    found = []
    for referrer in _few(client, await client.referrers(digest, NOTATION)):
        for layer in (await client.manifest(referrer.digest)).layers[:1]:  # there is one
            found.append((layer.media_type, await client.blob(layer, limit=MAX_BYTES)))
    return found


async def _bundles(client: Client, referring: Sequence[Descriptor]) -> Sequence[Descriptor]:
    """The layers of referrers that hold bundles. A list behind a tag may not say what they are, so they are looked at."""
    may_be = [r for r in referring if r.artifact_type in {"", EMPTY} or r.artifact_type.startswith(forms.BUNDLE)]
    manifests = [await client.manifest(referrer.digest) for referrer in _few(client, may_be)]
    layers = [layer for manifest in manifests for layer in manifest.layers]
    return _few(client, [layer for layer in layers if layer.media_type.startswith(forms.BUNDLE)])


async def _simple(client: Client, digest: str, referring: Sequence[Descriptor]) -> list[Manifest]:
    """The manifests that hold simple signing payloads: behind the tag, and among the referrers."""
    kinds = {"application/vnd.dev.cosign.artifact.sig.v1+json", forms.PAYLOAD}
    found = [found for found in referring if found.artifact_type in kinds]
    manifests = [await client.manifest(referrer.digest) for referrer in _few(client, found)]
    try:
        manifests.append(await client.manifest(f"{digest.replace(':', '-')}.sig"))
    except NotFound:
        return manifests
    return manifests


def _few(client: Client, found: Sequence[Descriptor]) -> Sequence[Descriptor]:
    if len(found) > MAX_SIGNATURES:
        raise Rejected(f"{client.repository} has more than {MAX_SIGNATURES} signatures of one artifact", reason=FAILED)
    return found
