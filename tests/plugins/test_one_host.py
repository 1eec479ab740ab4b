"""What a host says about its limits holds for every kind of source that is fetched from it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.source_world import SourceWorld, source_world
from fakes.web_server import Site, web_server

from gitopsd.plugin import Declared, Digest, ObjectRef, Place, Rejected, Source, SourceIntent, Transient, follow
from gitopsd_plugins import bucket, external, git, helm, oci

KINDS = {
    "GitRepository": git,
    "OCIRepository": oci,
    "HelmRepository": helm,
    "Bucket": bucket,
    "ExternalArtifact": external,
}
DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SourceWorld]:
    with source_world(tmp_path) as made:
        yield made


@pytest.fixture
def site() -> Iterator[Site]:
    """A host that asks everybody to come back in ten minutes."""

    class Everything(dict[str, int]):
        def __contains__(self, path: object) -> bool:
            return True

        def __missing__(self, path: str) -> int:
            return 429

    with web_server(Site(failures=Everything(), retry_after="600")) as served:
        yield served


def declared(kind: str, site: Site, **more: Any) -> tuple[Source, SourceIntent]:
    host = site.url.removeprefix("http://")
    specs: dict[str, dict[str, Any]] = {
        "GitRepository": {"url": f"{site.url}/app"},
        "OCIRepository": {"url": f"oci://{host}/app"},
        "HelmRepository": {"url": site.url},
        "Bucket": {"endpoint": host, "bucketName": "config", "insecure": True},
        "ExternalArtifact": {},
    }
    artifact = {"url": f"{site.url}/a.tar.gz", "digest": DIGEST, "revision": f"latest@{DIGEST}"}
    document = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": kind,
        "metadata": {"name": "app", "namespace": "flux-system"},
        "spec": {"interval": "1m", "timeout": "20s", **specs[kind], **more} if specs[kind] else {},
        **({"status": {"artifact": artifact}} if kind == "ExternalArtifact" else {}),
    }
    ref = ObjectRef(kind=kind, namespace="flux-system", name="app")
    place = Place(file="/etc/gitopsd/app.yaml", line=1)
    found = Declared(ref=ref, document=document, place=place, spec=Digest("sha256:0"))
    intent = next(one for one in KINDS[kind].gitopsd_kinds() if one.kind == kind).read(found)
    assert isinstance(intent, SourceIntent)
    return next(one for one in KINDS[kind].gitopsd_sources() if one.kind == kind), intent


@pytest.mark.asyncio
@pytest.mark.parametrize("first", KINDS)
async def test_who_is_sent_away_speaks_for_all(world: SourceWorld, site: Site, first: str) -> None:
    with pytest.raises(Transient, match="429"):
        await world.sync(*declared(first, site))
    asked = len(site.asked)

    for other in KINDS:
        with pytest.raises(Transient, match=r"127\.0\.0\.1:[0-9]+ is left alone for [0-9]+ s") as caught:
            await world.sync(*declared(other, site))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > (
            4 if first == "Bucket" else 590
        )  # obstore does not show what the answer says

    assert len(site.asked) == asked


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["GitRepository", "OCIRepository", "Bucket"])
async def test_whose_own_proxy_is_broken_speaks_for_nobody(world: SourceWorld, site: Site, kind: str) -> None:
    world.secrets.data["proxy"] = {"address": b"http://127.0.0.1:9"}
    with pytest.raises(Transient, match="cannot be reached"):
        await world.sync(*declared(kind, site, proxySecretRef={"name": "proxy"}))
    with pytest.raises(Transient, match=r"through http://127\.0\.0\.1:9 is left alone"):
        await world.sync(*declared(kind, site, proxySecretRef={"name": "proxy"}))

    with pytest.raises(Transient, match="429"):
        await world.sync(*declared(kind, site))


class Elsewhere(dict[str, str]):
    """Whatever is asked for is at another place."""

    def __init__(self, target: str) -> None:
        self._target = target

    def __contains__(self, path: object) -> bool:
        return True

    def __missing__(self, path: str) -> str:
        return self._target


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/x",
        "http://metadata.google.internal/computeMetadata",
    ],
)
async def test_redirect_to_a_metadata_address_is_never_followed(world: SourceWorld, kind: str, target: str) -> None:
    with web_server(Site(redirects=Elsewhere(target))) as site, pytest.raises(Rejected) as caught:
        await world.sync(*declared(kind, site))

    said = "another host than the one that is named" if kind == "Bucket" else "an address of this machine's own link"
    assert said in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_redirects_without_an_end_end(world: SourceWorld, kind: str) -> None:
    everywhere = Elsewhere("/app/info/refs?service=git-upload-pack")
    with web_server(Site(redirects=everywhere)) as site, pytest.raises(Rejected, match="redirects") as caught:
        await world.sync(*declared(kind, site))

    assert f"{kind}/flux-system/app: " in str(caught.value)
    assert len(site.asked) <= follow.MAX_REDIRECTS + 1


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_silent_host_is_told_by_what_it_is(world: SourceWorld, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source, intent = declared(kind, Site(url=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        with pytest.raises(Transient, match=r"no answer within|did not answer within") as caught:
            await world.sync(source, replace(intent, timeout=timedelta(milliseconds=500)))

    assert f"{kind}/flux-system/app: " in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
