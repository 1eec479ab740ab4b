"""The same client against Debian's docker-registry, with a login and TLS: artifacts are pushed by plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl

import aiohttp
import pytest
from fakes.docker_registry import docker_registry
from fakes.registry import CONFIG, CONTENT, IMAGE, layer

from gitopsd.plugin import Rejected, Tls
from gitopsd.plugin.oci import Credential, Way

pytestmark = pytest.mark.asyncio

LAYER = layer({"a.yaml": b"a: 1\n"})
LOGIN = ("ada", "hush-hush")


@pytest.fixture
def running(tmp_path, certificate):
    with docker_registry(tmp_path, login=LOGIN, tls=certificate) as found:
        yield found


async def push(host, certificate, tags):
    """Put one artifact under these tags; its digest."""
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    basic = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()
    base = f"https://{host}/v2/team/app"

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust), headers={"Authorization": basic}
    ) as session:

        async def blob(data, media_type):
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            async with session.post(f"{base}/blobs/uploads/") as started:
                place = started.headers["Location"]
            async with session.put(f"{place}&digest={digest}", data=data) as done:
                assert done.status == 201
            return {"mediaType": media_type, "digest": digest, "size": len(data)}

        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": await blob(b"{}", CONFIG),
            "layers": [await blob(LAYER, CONTENT)],
        }
        for tag in tags:
            raw = json.dumps(document).encode()
            async with session.put(f"{base}/manifests/{tag}", data=raw, headers={"Content-Type": IMAGE}) as done:
                assert done.status == 201, await done.text()
                digest = done.headers["Docker-Content-Digest"]
        return digest


async def test_artifact_comes_as_it_was_pushed(running, opened, certificate, tmp_path):
    tags = [f"v{number:03}" for number in range(120)]
    digest = await push(running.host, certificate, tags)
    way = Way(credential=Credential(username=LOGIN[0], password=LOGIN[1]), tls=Tls(ca=certificate[0].read_bytes()))

    async with opened(running, way) as client:
        head = await client.head("v000")
        found = await client.image("v000")
        await client.save(found.layers[0], tmp_path / "layer")
        listed = await client.tags()
        referring = await client.referrers(digest)

    assert (head.digest, found.digest) == (digest, digest)
    assert (tmp_path / "layer").read_bytes() == LAYER
    assert sorted(listed) == tags
    assert list(referring) == []


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_wrong_login_is_refused(running, opened, certificate, password):
    credential = Credential(username=LOGIN[0], password=password) if password else None

    async with opened(running, Way(credential=credential, tls=Tls(ca=certificate[0].read_bytes()))) as client:
        with pytest.raises(Rejected, match=r"spec\.secretRef") as caught:
            await client.head("v1")

    assert caught.value.reason == "AuthenticationFailed"
    assert "wrong" not in str(caught.value)
