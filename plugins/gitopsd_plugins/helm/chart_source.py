"""The HelmChart source: a chart out of a repository, a registry, or another source's artifact, as a tree of its files."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from gitopsd.plugin import (
    Artifact,
    Context,
    GitopsdError,
    NotReady,
    ObjectRef,
    Rejected,
    Revision,
    SourceIntent,
    Stored,
    Transient,
    Upstream,
    VerificationFailed,
    digest,
)
from gitopsd.plugin.oci.clouds import PROVIDERS, Provider
from gitopsd.plugin.oci.verify import Asked
from gitopsd_plugins.helm import cache, pulled, versions
from gitopsd_plugins.helm.chart import DEPENDENCY, VERIFICATION, Chart
from gitopsd_plugins.helm.chart_job import Build, Fetched, Look, Seen
from gitopsd_plugins.helm.metadata import Dependency
from gitopsd_plugins.helm.registry import Registry
from gitopsd_plugins.helm.repository import Repository
from gitopsd_plugins.helm.web import Web

T = TypeVar("T")
CACHE = "helm-charts"


class ChartSource:
    """Serves HelmChart objects. Packed charts are kept in its cache folder only."""

    kind = "HelmChart"

    def __init__(self, web: Web, clouds: Mapping[str, Provider] = PROVIDERS) -> None:
        self._web = web
        self._registry = Registry(clouds)

    async def resolve(self, intent: SourceIntent, ctx: Context) -> Revision:
        """The chart's version, as Flux calls what it makes of it; only a registry is asked for anything."""
        with _named(intent.ref):
            base, _ = await self._base(intent, ctx)
            return Revision(digest=_version(base, intent, ctx))

    async def fetch(self, intent: SourceIntent, revision: Revision, base: Artifact | None, ctx: Context) -> Stored:
        """Build the chart: download what is needed, check it, and put its files."""
        chart: Chart = intent.spec
        with _named(intent.ref):
            version, seen = await self._base(intent, ctx)
            if _version(version, intent, ctx) != revision.digest:
                raise Transient(f"{chart.source} changed meanwhile; it is looked at again")
            async with AsyncExitStack() as files:
                order, by = await self._order(version, revision.digest, seen, files, intent, ctx)
                stored = await _run("build", order, Stored, intent, ctx)
        return replace(stored, verified=f"verified signature of version {version} by {by}") if by else stored

    async def _base(self, intent: SourceIntent, ctx: Context) -> tuple[str, Seen | None]:
        """The version without what is added to it; of a chart in an artifact also what it says of itself."""
        chart: Chart = intent.spec
        upstream = _upstream(intent, ctx)
        repository = upstream.intent.spec
        if not isinstance(repository, Repository):
            seen = await _run("see", _look(chart, upstream), Seen, intent, ctx)
            return seen.version, seen
        return await self._chosen(chart.name, chart.version, repository, upstream, intent, ctx), None

    async def _chosen(
        self, name: str, wanted: str, repository: Repository, upstream: Upstream, intent: SourceIntent, ctx: Context
    ) -> str:
        if repository.oci:
            return await self._registry.version(name, wanted, repository, ctx, _timeout(intent))
        found = pulled.versions(name, _artifact(upstream).tree, repository, ctx)
        return versions.select(name, wanted, found, str(repository)).version

    async def _order(
        self,
        base: str,
        version: str,
        seen: Seen | None,
        files: AsyncExitStack,
        intent: SourceIntent,
        ctx: Context,
    ) -> tuple[Build, str]:
        """What to build, and by whom the chart is signed, where that is asked."""
        chart: Chart = intent.spec
        upstream = _upstream(intent, ctx)
        made = partial(
            Build, base=base, version=version, values_files=chart.values_files, ignore_missing=chart.ignore_missing
        )
        if seen is None:
            packed = self._packed(chart.name, base, upstream, intent, ctx, chart.verify)
            file, by = await files.enter_async_context(packed)
            return made(name=chart.name.rpartition("/")[2], file=str(file)), by
        needed = [await self._needed(dependency, files, intent, ctx) for dependency in seen.missing]
        return made(name=seen.name, look=_look(chart, upstream), dependencies=tuple(needed)), ""

    async def _needed(
        self, dependency: Dependency, files: AsyncExitStack, intent: SourceIntent, ctx: Context
    ) -> Fetched:
        """A chart that another one needs, from a HelmRepository of the namespace."""
        upstream = _repository(dependency, intent, ctx)
        if upstream.artifact is None and not upstream.intent.bare:
            # Its news wakes nobody here, since the declaration does not name it: looked at again soon instead.
            raise Transient(
                f"dependency {dependency.name!r}: {upstream.intent.ref} has no artifact yet", reason=DEPENDENCY
            )
        try:
            version = await self._chosen(
                dependency.name, dependency.version, upstream.intent.spec, upstream, intent, ctx
            )
            file, _ = await files.enter_async_context(self._packed(dependency.name, version, upstream, intent, ctx))
        except GitopsdError as error:
            error.args = (f"dependency {dependency.name!r}: {error}",)
            error.reason = DEPENDENCY
            raise
        return Fetched(called=dependency.called, file=str(file))

    @asynccontextmanager
    async def _packed(
        self,
        name: str,
        version: str,
        upstream: Upstream,
        intent: SourceIntent,
        ctx: Context,
        asked: Asked | None = None,
    ) -> AsyncIterator[tuple[Path, str]]:
        """The packed chart, and by whom it is signed. Dependencies are not verified, as in Flux."""
        repository, folder = upstream.intent.spec, _folder(intent, ctx)
        if asked and not repository.oci:
            raise VerificationFailed(
                f"spec.verify: {upstream.intent.ref} is no OCI registry, and only there charts are verified, as in Flux; "
                "use a HelmRepository of type oci, or remove spec.verify",
                reason=VERIFICATION,
            )
        cache.sweep(folder)
        if not repository.oci:
            found = pulled.versions(name, _artifact(upstream).tree, repository, ctx)
            entry = next(entry for entry in found if entry.version == version)
            async with pulled.chart(name, entry, repository, self._web, ctx, folder, _timeout(intent)) as file:
                yield file, ""
            return
        file = folder / f"{secrets.token_hex(8)}.part"
        try:
            yield file, await self._registry.save(name, version, repository, file, ctx, _timeout(intent), asked)
        finally:
            file.unlink(missing_ok=True)


def _upstream(intent: SourceIntent, ctx: Context) -> Upstream:
    return ctx.sources[intent.spec.source]


def _artifact(upstream: Upstream) -> Artifact:
    if upstream.artifact is None:
        raise NotReady(f"{upstream.intent.ref} has no artifact yet", reason="NoArtifact")
    return upstream.artifact


def _look(chart: Chart, upstream: Upstream) -> Look:
    return Look(tree=_artifact(upstream).tree, path=chart.name)


def _version(base: str, intent: SourceIntent, ctx: Context) -> str:
    chart: Chart = intent.spec
    artifact = _upstream(intent, ctx).artifact
    revision = artifact.revision.digest.rpartition(":")[2] if artifact and chart.by_revision else ""
    generation = ctx.sources[intent.ref].generation if chart.values_files else 0
    return versions.named(base, revision=revision, generation=generation)


def _repository(dependency: Dependency, intent: SourceIntent, ctx: Context) -> Upstream:
    """The HelmRepository of the namespace that has the dependency's address. Nothing that nobody declared is contacted."""
    wanted = dependency.repository.rstrip("/")
    by_name = wanted.removeprefix("alias:").removeprefix("@") if wanted.startswith(("@", "alias:")) else ""
    for ref, upstream in sorted(ctx.sources.items()):
        repository = upstream.intent.spec
        if isinstance(repository, Repository) and (ref.name == by_name if by_name else repository.url == wanted):
            return upstream
    raise Rejected(
        f"dependency {dependency.name!r} comes from {wanted[:200]}, which no HelmRepository in the namespace "
        f"{intent.ref.namespace} has for its url; declare one",
        reason=DEPENDENCY,
    )


def _folder(intent: SourceIntent, ctx: Context) -> Path:
    """Of one namespace alone: a digest must not open what the credentials of another one opened."""
    made = ctx.cache(CACHE) / digest.of_value(intent.ref.namespace).rpartition(":")[2][:32]
    made.mkdir(exist_ok=True, mode=0o700)
    return made


def _timeout(intent: SourceIntent) -> float:
    """Seconds for one request: a silent server is noticed, and named, before the whole operation runs out of time."""
    return intent.timeout.total_seconds() * 0.8


async def _run(job: str, order: Look | Build, kind: type[T], intent: SourceIntent, ctx: Context) -> T:
    name = f"gitopsd_plugins.helm.chart_job:{job}"
    answer = await ctx.work.run(name, msgspec.msgpack.encode(order), timeout=intent.timeout.total_seconds())
    return msgspec.msgpack.decode(answer, type=kind)


@contextmanager
def _named(ref: ObjectRef) -> Iterator[None]:
    """Put the object's name before the message of any error."""
    try:
        yield
    except GitopsdError as error:
        error.args = (f"{ref}: {error}",)
        raise
