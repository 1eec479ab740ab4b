"""Repositories that only a chart names, for the charts that it needs: asked where the settings allow their hosts, and as nobody.

A text in a repository may be anybody's, so that it sends no credentials anywhere and opens no connection by itself.
"""

from __future__ import annotations

import re
from functools import partial

from gitopsd.plugin import (
    Artifact,
    Context,
    Declared,
    Digest,
    ObjectRef,
    Place,
    Rejected,
    SourceIntent,
    SpecError,
    Upstream,
)
from gitopsd.plugin.flights import SHORTLY, Flights
from gitopsd_plugins.helm import repository
from gitopsd_plugins.helm.chart import DEPENDENCY
from gitopsd_plugins.helm.metadata import Dependency
from gitopsd_plugins.helm.repository_source import RepositorySource

_LOGIN = re.compile(r"//[^/@]*@")


class Undeclared:
    """Finds them; an index serves all that ask for it within a minute."""

    def __init__(self, repositories: RepositorySource) -> None:
        self._repositories = repositories
        self._indexes: Flights[Upstream] = Flights(keep=SHORTLY)

    async def upstream(self, needed: Dependency, reader: SourceIntent, ctx: Context) -> Upstream:
        """The repository as if it were declared without credentials. Raises `Rejected` where it may not be asked."""
        intent = _intent(needed, reader, ctx)
        if intent.bare:
            return Upstream(intent=intent, artifact=None)
        key = (intent.spec, reader.ref.namespace, ctx.http.proxies)
        return await self._indexes.join(key, partial(self._fetched, intent, ctx))

    async def _fetched(self, intent: SourceIntent, ctx: Context) -> Upstream:
        revision = await self._repositories.poll(intent, ctx)
        stored = await self._repositories.read(intent, revision, ctx)
        artifact = Artifact(
            source=intent.ref,
            revision=revision,
            tree=stored.tree,
            size=stored.size,
            files=stored.files,
            stored=ctx.now(),
            spec=intent.content,
        )
        return Upstream(intent=intent, artifact=artifact)


def _intent(needed: Dependency, reader: SourceIntent, ctx: Context) -> SourceIntent:
    url = needed.repository
    place = f"dependency {needed.name!r} comes from {_LOGIN.sub('//', url)[:200]}, which no HelmRepository"
    refusal = ctx.reach.refusal(url)
    if refusal:
        raise Rejected(
            f"{place} in the namespace {reader.ref.namespace} has for its url; declare one. Undeclared it is not asked: {refusal}",
            reason=DEPENDENCY,
        )
    ref = ObjectRef(kind="HelmRepository", namespace=reader.ref.namespace, name="")
    spec = {"url": url, "interval": "1h", "timeout": f"{reader.timeout.total_seconds():g}s"}
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {**spec, "type": "oci"} if url.startswith("oci://") else spec,
    }
    found = Declared(ref=ref, document=document, place=Place(file=str(reader.ref), line=1), spec=Digest(""))
    try:
        return repository.read(found)
    except SpecError as error:
        raise Rejected(f"{place} declares: {error}", reason=DEPENDENCY) from error
