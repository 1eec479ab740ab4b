"""The HelmChart source: a chart out of a repository, a registry, or another source's artifact, as a tree of its files."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Hashable, Iterator, Mapping
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
    UsageError,
    VerificationFailed,
    digest,
)
from gitopsd.plugin.flights import SHORTLY, Flights
from gitopsd.plugin.oci.clouds import PROVIDERS, Provider
from gitopsd.plugin.oci.verify import Asked
from gitopsd.plugin.sources import access, local, semver
from gitopsd_plugins.helm import cache, pulled, versions, web
from gitopsd_plugins.helm.chart import DEPENDENCY, VERIFICATION, Chart
from gitopsd_plugins.helm.chart_job import Build, Fetched, Look, Seen
from gitopsd_plugins.helm.metadata import Dependency
from gitopsd_plugins.helm.registry import Registry
from gitopsd_plugins.helm.repository import Repository
from gitopsd_plugins.helm.repository_source import RepositorySource
from gitopsd_plugins.helm.undeclared import Undeclared

T = TypeVar("T")
CACHE = "helm-charts"


class ChartSource:
    """Serves HelmChart objects. Packed charts are kept in its cache folder only."""

    kind = "HelmChart"

    def __init__(self, repositories: RepositorySource, clouds: Mapping[str, Provider] = PROVIDERS) -> None:
        self._undeclared = Undeclared(repositories)
        self._registry = Registry(clouds)
        self._builds: Flights[Stored] = Flights(keep=SHORTLY)

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
            build = partial(self._built, version, revision.digest, seen, intent, ctx)
            if chart.verify:  # by keys as they are now
                return await build()
            rules = (chart.name, chart.values_files, chart.ignore_missing)
            return await self._builds.join((rules, revision.digest, await self._origin(intent, ctx)), build)

    def at(self, intent: SourceIntent, revision: str) -> SourceIntent:
        """The same chart in another version, or the highest of a range."""
        chart: Chart = intent.spec
        if chart.source.kind != "HelmRepository":
            raise UsageError(
                f"{intent.ref}: the version of a chart in a {chart.source.kind} is what the chart says; name a revision of "
                f"{chart.source} instead"
            )
        try:
            semver.constraint(revision)
        except semver.VersionError as error:
            raise UsageError(f"{intent.ref}: {error}") from error
        return replace(intent, spec=replace(chart, version=revision))

    async def folder(self, intent: SourceIntent, folder: Path, ctx: Context) -> Stored:
        """A local folder as the chart itself; the charts that it needs come from where they always do."""
        with _named(intent.ref):
            tree = (await local.stored(folder, ctx, timeout=intent.timeout.total_seconds())).tree
            look = Look(tree=tree, path="")
            seen = await _run("see", look, Seen, intent, ctx)
            async with AsyncExitStack() as files:
                order = await self._of_folder(look, seen, seen.version, files, intent, ctx)
                return await _run("build", order, Stored, intent, ctx)

    async def _origin(self, intent: SourceIntent, ctx: Context) -> Hashable:
        """Where the chart is from, and what opens that: charts of one origin and version are the same."""
        chart: Chart = intent.spec
        upstream = _upstream(intent, ctx)
        repository = upstream.intent.spec
        if not isinstance(repository, Repository):  # what it needs comes from repositories of its namespace
            return intent.ref.namespace, _artifact(upstream).tree
        if repository.oci:
            return await self._registry.opened(
                chart.name, repository, ctx, _timeout(intent, upstream)
            ), ctx.http.proxies
        return await web.login(repository, ctx), ctx.http.proxies, _artifact(upstream).tree

    async def _built(self, base: str, version: str, seen: Seen | None, intent: SourceIntent, ctx: Context) -> Stored:
        chart: Chart = intent.spec
        async with AsyncExitStack() as files:
            if seen is None:
                order, by = await self._of_package(base, version, files, intent, ctx)
            else:
                look = _look(chart, _upstream(intent, ctx))
                order, by = await self._of_folder(look, seen, version, files, intent, ctx), ""
            stored = await _run("build", order, Stored, intent, ctx)
        return replace(stored, verified=f"verified signature of version {base} by {by}") if by else stored

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
            return await self._registry.version(name, wanted, repository, ctx, _timeout(intent, upstream))
        found = pulled.versions(name, _artifact(upstream).tree, repository, ctx)
        return versions.select(name, wanted, found, str(repository)).version

    async def _of_package(
        self, base: str, version: str, files: AsyncExitStack, intent: SourceIntent, ctx: Context
    ) -> tuple[Build, str]:
        """What to build, and by whom the chart is signed, where that is asked."""
        chart: Chart = intent.spec
        packed = self._packed(chart.name, base, _upstream(intent, ctx), intent, ctx, chart.verify)
        file, by = await files.enter_async_context(packed)
        made = Build(
            name=chart.name.rpartition("/")[2],
            base=base,
            version=version,
            file=str(file),
            values_files=chart.values_files,
            ignore_missing=chart.ignore_missing,
        )
        return made, by

    async def _of_folder(
        self, look: Look, seen: Seen, version: str, files: AsyncExitStack, intent: SourceIntent, ctx: Context
    ) -> Build:
        chart: Chart = intent.spec
        needed = [await self._needed(dependency, files, intent, ctx) for dependency in seen.missing]
        return Build(
            name=seen.name,
            base=seen.version,
            version=version,
            look=look,
            dependencies=tuple(needed),
            values_files=chart.values_files,
            ignore_missing=chart.ignore_missing,
        )

    async def _needed(
        self, dependency: Dependency, files: AsyncExitStack, intent: SourceIntent, ctx: Context
    ) -> Fetched:
        """A chart that another one needs, from a HelmRepository of the namespace, or from one that the settings allow."""
        declared = _repository(dependency, intent, ctx)
        if declared and declared.artifact is None and not declared.intent.bare:
            # Its news wakes nobody here, since the declaration does not name it: looked at again soon instead.
            raise Transient(
                f"dependency {dependency.name!r}: {declared.intent.ref} has no artifact yet", reason=DEPENDENCY
            )
        try:
            upstream = declared or await self._undeclared.upstream(dependency, intent, ctx)
            version = await self._chosen(
                dependency.name, dependency.version, upstream.intent.spec, upstream, intent, ctx
            )
            file, _ = await files.enter_async_context(self._packed(dependency.name, version, upstream, intent, ctx))
        except GitopsdError as error:
            closed = error.reason == access.FAILED and not declared
            hint = "; for credentials declare it as a HelmRepository" if closed else ""
            error.args = (f"dependency {dependency.name!r}: {error}{hint}",)
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
        repository, folder, timeout = upstream.intent.spec, _folder(intent, ctx), _timeout(intent, upstream)
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
            async with pulled.chart(name, entry, repository, ctx, folder, timeout) as file:
                yield file, ""
            return
        file = folder / f"{secrets.token_hex(8)}.part"
        try:
            yield file, await self._registry.save(name, version, repository, file, ctx, timeout, asked)
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


def _repository(dependency: Dependency, intent: SourceIntent, ctx: Context) -> Upstream | None:
    """The HelmRepository of the namespace that has the dependency's address. Raises `Rejected` for a name that none has."""
    wanted = dependency.repository.rstrip("/")
    by_name = wanted.removeprefix("alias:").removeprefix("@") if wanted.startswith(("@", "alias:")) else ""
    for ref, upstream in sorted(ctx.sources.items()):
        repository = upstream.intent.spec
        if isinstance(repository, Repository) and (ref.name == by_name if by_name else repository.url == wanted):
            return upstream
    if by_name:
        raise Rejected(
            f"dependency {dependency.name!r} comes from {wanted[:200]}, but the namespace {intent.ref.namespace} has no "
            "HelmRepository of this name; declare one",
            reason=DEPENDENCY,
        )
    return None


def _folder(intent: SourceIntent, ctx: Context) -> Path:
    """Of one namespace alone: a digest must not open what the credentials of another one opened."""
    made = ctx.cache(CACHE) / digest.of_value(intent.ref.namespace).rpartition(":")[2][:32]
    made.mkdir(exist_ok=True, mode=0o700)
    return made


def _timeout(intent: SourceIntent, upstream: Upstream) -> float:
    """Seconds for one request, as its repository allows: a silent server is noticed before the whole operation runs out of time."""
    return min(intent.timeout * 0.8, upstream.intent.timeout).total_seconds()


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
