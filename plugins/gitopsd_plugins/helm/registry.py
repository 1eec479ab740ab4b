"""Charts in OCI registries: tags are versions, `_` in a tag stands for `+`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gitopsd.plugin import Context, Misconfigured, Rejected, SpecError, VerificationFailed
from gitopsd.plugin.oci import Client, Credential, Registries, Way, credentials, reference, verify
from gitopsd.plugin.oci.credentials import KEYS, CredentialError
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
    """Chooses and downloads charts. Remembers tokens, and who asked to be left alone."""

    def __init__(self) -> None:
        self._registries = Registries()

    async def version(self, name: str, wanted: str, repository: Repository, ctx: Context, timeout: float) -> str:
        """The version that satisfies `wanted` now: one HEAD for an exact one, else one list of tags."""
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
        place = _place(name, repository)
        way = await _way(place, repository, ctx)
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


async def _way(place: reference.Repository, repository: Repository, ctx: Context) -> Way:
    """Docker's configuration file, or a name and a password, as Flux takes both."""
    given = await access.given(repository.secret, ctx)
    certificates = await access.given(repository.certificates, ctx, "spec.certSecretRef")
    return Way(
        credential=_credential(given, place), tls=access.tls(certificates or given), insecure=repository.insecure
    )


def _credential(given: access.Given, place: reference.Repository) -> Credential | None:
    for key in KEYS:
        if key in given.data:
            try:
                logins = credentials.read(given.data[key], old=key == ".dockercfg")
            except CredentialError as error:
                raise access.wrong(f"{given.label}: the key {key} {error}") from error
            return credentials.choose(logins, place)
    username, password = given.text("username"), given.text("password")
    if given.label and not (username and password):
        raise access.wrong(f"{given.label} needs the key {KEYS[0]}, or username and password")
    return Credential(username=username, password=password) if username else None
