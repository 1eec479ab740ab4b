"""Who signed an artifact: finds what was signed, reads what may prove it, and has a worker process decide.

Signatures are hostile until one of them proves good: there may be few of them, they are small, and they are looked at in a
worker process.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gitopsd.model.errors import NotReady, Rejected, VerificationFailed
from gitopsd.plugin.context import Context
from gitopsd.plugin.oci.client import Client
from gitopsd.plugin.oci.verify import notation, search
from gitopsd.plugin.oci.verify.cosign import Signed
from gitopsd.plugin.oci.verify.keyless import Answer, Order
from gitopsd.plugin.oci.verify.keys import PLACE
from gitopsd.plugin.oci.verify.proof import plain
from gitopsd.plugin.oci.verify.spec import POLICY_FILE, ROOT_FILE, Asked, Name
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given

REASON = VerificationFailed.default_reason
SUFFIX = ".pub"
ROOT_PLACE = "spec.verify.trustedRootSecretRef"
MAX_TOLD = 5
_JOBS = "gitopsd.plugin.oci.verify"


async def check(client: Client, digest: str, asked: Asked, ctx: Context, timeout: float) -> str:
    """By whom the digest is signed, in words; '' where a trust policy lets it in though nothing is proved.

    Raises `VerificationFailed` where nobody did who may, `Rejected` for a Secret that cannot be used.
    """
    if asked.provider == "notation":
        return await _by_policy(client, digest, asked, ctx, timeout)
    if asked.keyless:
        return await _without_key(client, digest, asked, ctx, timeout)
    return await _by_key(client, digest, asked, ctx, timeout)


async def _by_policy(client: Client, digest: str, asked: Asked, ctx: Context, timeout: float) -> str:
    given = await _given(asked.secret, ctx, PLACE)
    if POLICY_FILE not in given.data:
        raise Rejected(f"{given.label} lacks the key {POLICY_FILE}", reason=REASON)
    if not any(name.endswith(notation.CERTIFICATES) for name in given.data):
        raise Rejected(
            f"{given.label} holds no certificate; its name has to end in {' or '.join(notation.CERTIFICATES)}",
            reason=REASON,
        )
    manifest = await client.manifest(digest)
    order = notation.Order(
        envelopes=tuple(await search.notation(client, digest)),
        target=notation.Target(media_type=manifest.media_type, digest=digest, size=len(manifest.raw)),
        repository=f"{client.repository.server}/{client.repository.name}",
        secret=given.data,
        now=ctx.now(),
    )
    said = await ctx.work.run(f"{_JOBS}.notation:job", msgspec.msgpack.encode(order), timeout=timeout)
    answer = msgspec.msgpack.decode(said, type=notation.Answer)
    for text in answer.told:
        ctx.log.warning("signature let through", digest=digest, why=plain(text, 500))
    if not answer.passed and not order.envelopes:
        raise VerificationFailed(f"{client.repository}@{digest} is not signed with notation; nothing of it is used")
    if not answer.passed:
        raise _nobody(client, digest, answer.wrong)
    if answer.by:
        ctx.log.info("signature verified", digest=digest, by=answer.by)
    return answer.by


async def _without_key(client: Client, digest: str, asked: Asked, ctx: Context, timeout: float) -> str:
    root = b""
    if asked.root:
        given = await _given(asked.root, ctx, ROOT_PLACE)
        if ROOT_FILE not in given.data:
            raise Rejected(f"{given.label} lacks the key {ROOT_FILE}", reason=REASON)
        root = given.data[ROOT_FILE]
    found = await _signed(client, digest)
    order = Order(signed=tuple(found), digest=digest, identities=asked.identities, root=root)
    said = await ctx.work.run(f"{_JOBS}.keyless:job", msgspec.msgpack.encode(order), timeout=timeout)
    answer = msgspec.msgpack.decode(said, type=Answer)
    if not answer.by:
        raise _nobody(client, digest, answer.wrong)
    ctx.log.info("signature verified", digest=digest, by=answer.by)
    return answer.by


def _nobody(client: Client, digest: str, wrong: Sequence[str]) -> VerificationFailed:
    """What is wrong with each signature, of the first few."""
    told = "; ".join(f"it {plain(why, 500)}" for why in dict.fromkeys(wrong[:MAX_TOLD]))
    number = "its signature" if len(wrong) == 1 else f"none of its {len(wrong)} signatures"
    proves = "does not count" if len(wrong) == 1 else "counts"
    return VerificationFailed(f"{client.repository}@{digest}: {number} {proves}: {told}; nothing of it is used")


async def _by_key(client: Client, digest: str, asked: Asked, ctx: Context, timeout: float) -> str:
    given = await _given(asked.secret, ctx, PLACE)
    keys = {name: data for name, data in given.data.items() if name.endswith(SUFFIX)}
    if not keys:
        raise Rejected(f"{given.label} holds no public key; its name has to end in {SUFFIX}", reason=REASON)
    found = await _signed(client, digest)
    order = msgspec.msgpack.encode((found, digest, keys))
    name = (await ctx.work.run(f"{_JOBS}.keys:job", order, timeout=timeout)).decode()
    if not name:
        raise VerificationFailed(
            f"{client.repository}@{digest}: none of its {len(found)} signatures is by a key of {_secret(asked)} "
            f"({', '.join(sorted(keys))}); nothing of it is used"
        )
    ctx.log.info("signature verified", digest=digest, key=name)
    return f"the key {name}"


async def _given(secret: Name | None, ctx: Context, place: str) -> Given:
    """A Secret; one that is missing leaves the artifact unverified."""
    try:
        return await access.given(secret, ctx, place)
    except NotReady as error:
        raise NotReady(str(error), reason=REASON) from error


async def _signed(client: Client, digest: str) -> list[Signed]:
    found = [signed async for signed in search.cosign(client, digest)]
    if not found:
        raise VerificationFailed(f"{client.repository}@{digest} is not signed; nothing of it is used")
    return found


def _secret(asked: Asked) -> str:
    return "/".join(asked.secret or ())
