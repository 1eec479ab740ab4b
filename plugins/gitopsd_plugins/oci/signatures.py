"""Who signed an artifact: finds its signatures in the registry, by referrers and by tag, and has them checked.

Signatures are hostile until one of them proves good: there may be few of them, they are small, and a worker process looks at
them. Nothing but the registry is asked: with a key, Flux does not consult the transparency log either.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from gitopsd.plugin import Context, Intake, Rejected, VerificationFailed
from gitopsd.plugin.oci import Client, Descriptor, Manifest, NotFound
from gitopsd.plugin.oci.manifest import EMPTY, FAILED
from gitopsd.plugin.sources import access
from gitopsd_plugins.oci import cosign
from gitopsd_plugins.oci.cosign import KeyFormatError, Signed

PLACE = "spec.verify.secretRef"
SUFFIX = ".pub"
MAX_SIGNATURES = 100
MAX_BYTES = 1 << 20


async def check(client: Client, digest: str, secret: tuple[str, str], ctx: Context, timeout: float) -> str:
    """The name of the key that signed the digest. Raises `VerificationFailed` where none of the Secret's did."""
    given = await access.given(secret, ctx, PLACE)
    keys = {name: data for name, data in given.data.items() if name.endswith(SUFFIX)}
    if not keys:
        raise Rejected(
            f"{given.label} holds no public key; its name has to end in {SUFFIX}", reason="VerificationError"
        )
    found = [signed async for signed in _signatures(client, digest)]
    if not found:
        raise VerificationFailed(f"{client.repository}@{digest} is not signed; nothing of it is used")
    order = msgspec.msgpack.encode((found, digest, keys))
    name = (await ctx.work.run("gitopsd_plugins.oci.signatures:signer", order, timeout=timeout)).decode()
    if not name:
        raise VerificationFailed(
            f"{client.repository}@{digest}: none of its {len(found)} signatures is by a key of {secret[0]}/{secret[1]} "
            f"({', '.join(sorted(keys))}); nothing of it is used"
        )
    ctx.log.info("signature verified", digest=digest, key=name)
    return name


def signer(payload: bytes, intake: Intake) -> bytes:
    """What a worker process does of it."""
    signed, digest, keys = msgspec.msgpack.decode(payload, type=tuple[list[Signed], str, dict[str, bytes]])
    try:
        return cosign.signer(signed, digest, keys).encode()
    except KeyFormatError as error:
        raise Rejected(f"{PLACE}: {error}", reason="VerificationError") from error


async def _signatures(client: Client, digest: str) -> AsyncIterator[Signed]:
    """Bundles first: where one is a signature, those of the older form do not count, as in cosign and Flux."""
    referring = await client.referrers(digest)
    bundled = False
    for layer in await _bundles(client, referring):
        signed = cosign.of_bundle(await client.blob(layer, limit=MAX_BYTES))
        if signed is not None and signed.digest:  # others are attestations
            bundled = True
            yield signed
    if bundled:
        return
    for manifest in await _simple(client, digest, referring):
        for layer in _few(client, manifest.layers):
            if layer.media_type == cosign.PAYLOAD:
                payload = await client.blob(layer, limit=MAX_BYTES)
                signature = layer.annotations.get(cosign.SIGNATURE, "")
                if (found := cosign.of_payload(payload, signature)) is not None:
                    yield found


async def _bundles(client: Client, referring: Sequence[Descriptor]) -> Sequence[Descriptor]:
    """The layers of referrers that hold bundles. A list behind a tag may not say what they are, so they are looked at."""
    may_be = [r for r in referring if r.artifact_type in {"", EMPTY} or r.artifact_type.startswith(cosign.BUNDLE)]
    manifests = [await client.manifest(referrer.digest) for referrer in _few(client, may_be)]
    layers = [layer for manifest in manifests for layer in manifest.layers]
    return _few(client, [layer for layer in layers if layer.media_type.startswith(cosign.BUNDLE)])


async def _simple(client: Client, digest: str, referring: Sequence[Descriptor]) -> list[Manifest]:
    """The manifests that hold simple signing payloads: behind the tag, and among the referrers."""
    kinds = {"application/vnd.dev.cosign.artifact.sig.v1+json", cosign.PAYLOAD}
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
