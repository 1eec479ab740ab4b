"""The Bucket source: which objects there are now, and those objects into the store. Everything runs in a worker process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from gitopsd.plugin import Artifact, Context, GitopsdError, ObjectRef, Revision, SourceIntent, Stored, digest, hosts
from gitopsd.plugin.flights import SHORTLY, Flights
from gitopsd.plugin.sources import proxy
from gitopsd_plugins.bucket import access, login, order
from gitopsd_plugins.bucket.order import FolderOrder, Order
from gitopsd_plugins.bucket.place import Place

CACHE = "bucket"
LOGIN = 30.0
"""Seconds that whoever lends keys or a token may take at most."""


class BucketSource:
    """Serves Bucket objects. Keeps nothing but, for a moment, what somebody else may want, too."""

    kind = "Bucket"

    def __init__(self, clouds: Mapping[str, str] = login.HOSTS) -> None:
        self._clouds = clouds
        self._polls: Flights[bytes] = Flights()
        self._fetches: Flights[bytes] = Flights(keep=SHORTLY)

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """List the bucket: one request for each thousand objects."""
        with _named(intent.ref):
            answer = await self._joined(self._polls, "revision", "", intent, ctx)
            return Revision(digest=answer.decode("ascii"))

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Bring the objects into the store that it does not know yet, and put them all as a tree."""
        with _named(intent.ref):
            return order.decode(await self._joined(self._fetches, "fetch", revision.digest, intent, ctx), Stored)

    async def folder(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        """A local folder as the root of the bucket: what it would give with these objects, under the same rules."""
        place: Place = intent.spec
        given = FolderOrder(folder=str(folder), prefix=place.prefix, ignore=place.ignore)
        timeout = intent.timeout.total_seconds()
        with _named(intent.ref):
            answer = await ctx.work.run("gitopsd_plugins.bucket.job:folder", order.encode(given), timeout=timeout)
            return order.decode(answer, Stored)

    async def _order(self, intent: SourceIntent, ctx: Context, revision: str) -> tuple[Order, object]:
        """With what was lent for it, None for nothing."""
        place: Place = intent.spec
        # A silent server is noticed, and named, before the whole operation runs out of time.
        timeout = intent.timeout.total_seconds() * 0.8
        opened = await login.of(place, ctx, min(timeout, LOGIN), self._clouds)
        return Order(
            provider=place.provider,
            bucket=place.bucket,
            place=str(place),
            url=place.url,
            # An etag is a name that a server gives: only the same server, asked for the same tenant, is believed.
            known_as=digest.of_value([intent.ref.namespace, intent.ref.name, place.provider, place.url, place.bucket]),
            store={**access.store(place), **opened.options},
            client=await access.client(place, ctx, timeout),
            login=opened.at,
            token=opened.token,
            timeout=timeout,
            spool=str(ctx.cache(CACHE)),
            ca_file=ctx.http.ca_file,
            egress=ctx.http.egress,
            own_proxies=ctx.http.own_proxies,
            prefix=place.prefix,
            ignore=place.ignore,
            revision=revision,
        ), opened.lent

    async def _joined(
        self, flights: Flights[bytes], job: str, revision: str, intent: SourceIntent, ctx: Context
    ) -> bytes:
        with flights.coming() as comer:
            routed = await proxy.routed(intent.spec.proxy, ctx)
            given, lent = await self._order(intent, routed, revision)
            return await comer.join(_key(given), partial(self._run, job, given, lent, intent, routed))

    async def _run(self, job: str, given: Order, lent: object, intent: SourceIntent, ctx: Context) -> bytes:
        name = f"gitopsd_plugins.bucket.job:{job}"
        with ctx.kept.minded(lent):
            async with ctx.hosts.turn(hosts.name(given.url)):
                return await ctx.work.run(name, order.encode(given), timeout=intent.timeout.total_seconds())


def _key(given: Order) -> bytes:
    """What is asked for, by whom, without the object that asks."""
    return order.encode(replace(given, known_as=""))


@contextmanager
def _named(ref: ObjectRef) -> Iterator[None]:
    """Put the object's name before the message of any error."""
    try:
        yield
    except GitopsdError as error:
        error.args = (f"{ref}: {error}",)
        raise
