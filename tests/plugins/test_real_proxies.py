"""Every source by way of the proxies that people run: CONNECT through tinyproxy, SOCKS5 through microsocks."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fakes import charts
from fakes.certificate import self_signed
from fakes.git_repository import GitRepository
from fakes.git_server import http_server
from fakes.real_proxy import Running, real_proxy
from fakes.registry import Registry, digest, layer, serving
from fakes.source_world import SourceWorld, source_world
from fakes.web_server import Site, web_server

from gitopsd.plugin import Declared, Digest, GitopsdError, Http, ObjectRef, Place, Proxies
from gitopsd_plugins import bucket, external, git, helm, oci

pytestmark = pytest.mark.asyncio
LOGIN = ("ada", "hush-hush")
FILES = {"a.yaml": b"a"}
LISTING = b"""<?xml version="1.0"?><ListBucketResult><Name>a</Name><IsTruncated>false</IsTruncated><Contents><Key>a.yaml</Key>
<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"1"</ETag><Size>1</Size></Contents></ListBucketResult>"""


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path / "tls", ca=False)


@pytest.fixture
def world(tmp_path: Path, tls: tuple[Path, Path]) -> Iterator[SourceWorld]:
    with source_world(tmp_path) as made:
        made.secrets.data["ca"] = {"ca.crt": tls[0].read_bytes()}
        yield made


@pytest.fixture(params=["http", "socks5"])
def proxy(request: pytest.FixtureRequest, tmp_path: Path, world: SourceWorld) -> Iterator[Running]:
    with real_proxy(request.param, tmp_path, LOGIN) as running:
        name, password = (part.encode() for part in LOGIN)
        world.secrets.data["proxy"] = {"address": running.url.encode(), "username": name, "password": password}
        yield running


def _encrypted(tls: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
    return context


async def _brought(world: SourceWorld, plugin: ModuleType, kind: str, **parts: Any) -> Mapping[str, bytes]:
    reader = next(one for one in plugin.gitopsd_kinds() if one.kind == kind)
    source = next(one for one in plugin.gitopsd_sources() if one.kind == kind)
    document = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": kind, "metadata": {"name": "b"}, **parts}
    ref = ObjectRef(kind=kind, namespace="a", name="b")
    intent = reader.read(Declared(ref=ref, document=document, place=Place(file="a", line=1), spec=Digest("s")))
    _, stored = await world.sync(source, intent)
    return world.files(stored.tree)


BY_SECRETS = {"interval": "1m", "certSecretRef": {"name": "ca"}, "proxySecretRef": {"name": "proxy"}}


async def test_artifact_of_a_registry(world: SourceWorld, proxy: Running, tls: tuple[Path, Path]) -> None:
    with serving(Registry(), tls=_encrypted(tls)) as registry:
        registry.artifact(layer(FILES), tag="latest")

        found = await _brought(world, oci, "OCIRepository", spec={"url": registry.url, **BY_SECRETS})

    assert found == FILES
    assert registry.host.rpartition(":")[2] in proxy.told()


async def test_bucket(world: SourceWorld, proxy: Running, tls: tuple[Path, Path]) -> None:
    pytest.importorskip("obstore")
    with web_server(Site(files={"/a": LISTING, "/a/a.yaml": b"a"}), tls) as site:
        spec = {"endpoint": site.url.removeprefix("https://"), "bucketName": "a", **BY_SECRETS}

        found = await _brought(world, bucket, "Bucket", spec=spec)

    assert found == FILES
    assert site.url.rpartition(":")[2] in proxy.told()


async def test_git_repository(world: SourceWorld, proxy: Running, tls: tuple[Path, Path], tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    repository.commit({"a.yaml": "a"})
    with http_server(repository.path, tls=tls) as server:
        secrets = {"secretRef": {"name": "ca"}, "proxySecretRef": {"name": "proxy"}}
        spec = {"url": server.url, "interval": "1m", "ref": {"branch": "main"}, **secrets}

        found = await _brought(world, git, "GitRepository", spec=spec)

    assert found == FILES
    assert server.url.split(":")[2].partition("/")[0] in proxy.told()


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_artifacts_and_indexes_by_the_proxy_of_the_environment(
    world: SourceWorld, tmp_path: Path, kind: str
) -> None:
    data = layer(FILES)
    index = charts.index({"web": [{"name": "web", "version": "1.0.0", "urls": ["web.tgz"]}]})
    with real_proxy(kind, tmp_path) as proxy, web_server(Site(files={"/a": data, "/index.yaml": index})) as site:
        world.ctx = replace(world.ctx, http=Http(proxies=Proxies(http=proxy.url, no_proxy=())))
        made = {"url": f"{site.url}/a", "digest": digest(data), "revision": f"a@{digest(data)}"}

        found = await _brought(world, external, "ExternalArtifact", spec={}, status={"artifact": made})
        read = await _brought(world, helm, "HelmRepository", spec={"url": site.url, "interval": "1m"})

        assert found == FILES
        assert list(read) == ["charts/web.json"]
        assert site.url.rpartition(":")[2] in proxy.told() or kind == "http"  # which tells of CONNECT only
        assert proxy.told().count("127.0.0.1") >= 2


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_wrong_login_is_told_and_not_shown(world: SourceWorld, tmp_path: Path, kind: str) -> None:
    made = {"url": "https://127.0.0.1:9/a", "digest": digest(b""), "revision": f"a@{digest(b'')}"}
    with real_proxy(kind, tmp_path, LOGIN) as proxy:
        address = proxy.url.replace("://", "://ada:guessed@")
        world.ctx = replace(world.ctx, http=Http(proxies=Proxies(https=address, no_proxy=())))

        with pytest.raises(GitopsdError, match=r"the proxy (did not connect|on the way answered 401)") as told:
            await _brought(world, external, "ExternalArtifact", spec={}, status={"artifact": made})

    assert "guessed" not in str(told.value)
