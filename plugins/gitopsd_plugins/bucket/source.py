"""The Bucket source: which objects there are now, and those objects into the store. Everything runs in a worker process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gitopsd.plugin import Artifact, Context, GitopsdError, ObjectRef, Revision, SourceIntent, Stored, digest
from gitopsd.plugin.sources import hosts, proxy
from gitopsd_plugins.bucket import access, order
from gitopsd_plugins.bucket.order import Order
from gitopsd_plugins.bucket.place import Place


class BucketSource:
    """Serves Bucket objects. Keeps nothing."""

    kind = "Bucket"

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """List the bucket: one request for each thousand objects."""
        with _named(intent.ref):
            answer = await self._run("revision", await self._order(intent, ctx), intent, ctx)
            return Revision(digest=answer.decode("ascii"))

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Bring the objects into the store that it does not know yet, and put them all as a tree."""
        with _named(intent.ref):
            given = await self._order(intent, ctx, revision=revision.digest)
            return order.decode(await self._run("fetch", given, intent, ctx), Stored)

    async def _order(self, intent: SourceIntent, ctx: Context, *, revision: str = "") -> Order:
        place: Place = intent.spec
        # A silent server is noticed, and named, before the whole operation runs out of time.
        timeout = intent.timeout.total_seconds() * 0.8
        options, credentials = await access.store(place, ctx)
        routed = await proxy.routed(place.proxy, ctx)
        return Order(
            provider=place.provider,
            bucket=place.bucket,
            place=str(place),
            url=place.url,
            # An etag is a name that a server gives: only the same server, asked for the same tenant, is believed.
            known_as=digest.of_value([intent.ref.namespace, intent.ref.name, place.provider, place.url, place.bucket]),
            store=options,
            client=await access.client(place, routed, timeout),
            credentials=credentials,
            timeout=timeout,
            ca_file=ctx.http.ca_file,
            egress=ctx.http.egress,
            prefix=place.prefix,
            ignore=place.ignore,
            revision=revision,
        )

    async def _run(self, job: str, given: Order, intent: SourceIntent, ctx: Context) -> bytes:
        name = f"gitopsd_plugins.bucket.job:{job}"
        async with ctx.hosts.turn(hosts.name(given.url)):
            return await ctx.work.run(name, order.encode(given), timeout=intent.timeout.total_seconds())


@contextmanager
def _named(ref: ObjectRef) -> Iterator[None]:
    """Put the object's name before the message of any error."""
    try:
        yield
    except GitopsdError as error:
        error.args = (f"{ref}: {error}",)
        raise
