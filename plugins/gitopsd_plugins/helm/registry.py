"""Charts in OCI registries: tags are versions, `_` in a tag stands for `+`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from gitopsd.plugin import Context, Misconfigured, Rejected, SpecError, VerificationFailed
from gitopsd.plugin.flights import Flights
from gitopsd.plugin.oci import Client, Credential, Registries, Way, logins, reference, verify
from gitopsd.plugin.oci.clouds import PROVIDERS, Provider
from gitopsd.plugin.oci.credentials import KEYS
from gitopsd.plugin.oci.logins import Asking
from gitopsd.plugin.oci.reference import ReferenceFormatError
from gitopsd.plugin.oci.verify import Asked
from gitopsd.plugin.sources import access
from gitopsd_plugins.helm import versions
from gitopsd_plugins.helm.chart import PULL, REFERENCE, VERIFICATION
from gitopsd_plugins.helm.entries import Entry
from gitopsd_plugins.helm.pulled import MAX_CHART
from gitopsd_plugins.helm.repository import Repository

LAYERS = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")


class Registry:
    """Chooses and downloads charts. Remembers tokens, and who speaks plain http."""

    def __init__(self, clouds: Mapping[str, Provider] = PROVIDERS) -> None:
        self._registries = Registries()
        self._polls: Flights[str] = Flights()
        self._clouds = clouds

    async def version(self, name: str, wanted: str, repository: Repository, ctx: Context, timeout: float) -> str:
        """The version that satisfies `wanted` now: one HEAD for an exact one, else one list of tags."""
        with self._polls.coming() as comer:
            key = (await self.opened(name, repository, ctx, timeout), wanted, ctx.http.proxies)
            return await comer.join(key, partial(self._newest, name, wanted, repository, ctx, timeout))

    async def opened(
        self, name: str, repository: Repository, ctx: Context, timeout: float
    ) -> tuple[reference.Repository, Way]:
        """Where a chart is, and what opens that now."""
        place = _place(name, repository)
        return place, await _way(place, repository, self._clouds, ctx, timeout)

    async def _newest(self, name: str, wanted: str, repository: Repository, ctx: Context, timeout: float) -> str:
        async with self._client(name, repository, ctx, timeout) as client:
            if versions.is_exact(wanted):
                await client.head(_tag(wanted))
                return wanted
            found = [Entry(version=tag.replace("_", "+")) for tag in await client.tags()]
        return versions.select(name, wanted, found, str(repository)).version

    async def save(
        self,
        name: str,
        version: str,
        repository: Repository,
        file: Path,
        ctx: Context,
        timeout: float,
        asked: Asked | None = None,
    ) -> str:
        """Write the packed chart into a file, checked against the digest that the registry gives it.

        Returns by whom it is signed, where that is asked; raises `VerificationFailed` before anything of it is downloaded.
        """
        async with self._client(name, repository, ctx, timeout) as client:
            tag, by = _tag(version), ""
            if asked:
                tag = (await client.head(tag)).digest
                by = await _signed(client, tag, asked, ctx, timeout)
            found = await client.image(tag)
            layer = next((layer for kind in LAYERS for layer in found.layers if layer.media_type == kind), None)
            if layer is None:
                raise Rejected(
                    f"{client.repository}:{_tag(version)} holds no chart: no layer of the type {LAYERS[0]}", reason=PULL
                )
            await client.save(layer, file, limit=MAX_CHART)
        return by

    @asynccontextmanager
    async def _client(self, name: str, repository: Repository, ctx: Context, timeout: float) -> AsyncIterator[Client]:
        place, way = await self.opened(name, repository, ctx, timeout)
        async with self._registries.open(place, way, ctx, timeout=timeout) as client:
            yield client


async def _signed(client: Client, digest: str, asked: Asked, ctx: Context, timeout: float) -> str:
    try:
        return await verify.check(client, digest, asked, ctx, timeout)
    except VerificationFailed as error:
        if error.reason == VerificationFailed.default_reason:  # a registry's wrong digest has a reason of its own
            error.reason = VERIFICATION
        raise


def _place(name: str, repository: Repository) -> reference.Repository:
    try:
        found = reference.read(f"{repository.url}/{name}")
    except ReferenceFormatError as error:
        raise Misconfigured(f"{repository}/{name}: {error}; check spec.url and spec.chart", reason=REFERENCE) from error
    return found.repository


def _tag(version: str) -> str:
    tag = version.replace("+", "_")
    if not reference.is_tag(tag):
        raise SpecError(f"{version[:80]!r} cannot be a tag", path=("spec", "version"))
    return tag


async def _way(
    place: reference.Repository, repository: Repository, clouds: Mapping[str, Provider], ctx: Context, timeout: float
) -> Way:
    """By Docker's configuration file, or a name and a password, as Flux takes both; else by the cloud."""
    given = await access.given(repository.secret, ctx)
    certificates = await access.given(repository.certificates, ctx, "spec.certSecretRef")
    asking = Asking(
        place=place,
        provider=repository.provider,
        tls=access.tls(certificates if certificates.label else given),
        insecure=repository.insecure,
    )
    return await logins.way(asking, _credential(given, place, ctx), ctx, timeout, clouds)


def _credential(given: access.Given, place: reference.Repository, ctx: Context) -> Credential | None:
    if any(key in given.data for key in KEYS):
        return logins.configured(given, place, ctx)
    username, password = given.text("username"), given.text("password")
    if given.label and not (username and password):
        raise access.wrong(f"{given.label} needs the key {KEYS[0]}, or username and password")
    return Credential(username=username, password=password) if username else None
