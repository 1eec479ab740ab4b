"""Kubeconfigs in Secrets: the current context, all in one piece, and nothing that reaches into this machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gitopsd.plugin import Access, Context, Misconfigured, NotReady
from gitopsd_plugins.kubernetes.access.secretconfig import SecretKubeconfigAccess

pytestmark = pytest.mark.asyncio

CA = base64.b64encode(b"the CA").decode()
WHERE = "Secret/team/remote"


@dataclass
class Secrets:
    data: dict[str, bytes] = field(default_factory=dict)

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        if (namespace, name) != ("team", "remote"):
            raise NotReady(f"Secret/{namespace}/{name} not found")
        return self.data

    async def config(self, namespace: str, name: str) -> Mapping[str, bytes]:
        raise NotReady(name)


def kubeconfig(
    cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, current: str | None = "remote"
) -> bytes:
    document: dict[str, Any] = {
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": "https://remote:6443", "certificate-authority-data": CA, **(cluster or {})},
            }
        ],
        "users": [{"name": "u", "user": {"token": "t", **(user or {})}}],
        "contexts": [{"name": "remote", "context": {"cluster": "c", "user": "u"}}],
    }
    return json.dumps({**document, **({"current-context": current} if current is not None else {})}).encode()


async def opened(ctx: Context, data: Mapping[str, bytes], key: str = "") -> Access:
    spec = {"namespace": "team", "name": "remote", "key": key}
    there = replace(ctx, credentials=Secrets(dict(data)))
    async with SecretKubeconfigAccess().open("x", spec, there) as access:
        return access


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"value": kubeconfig()}, ""),
        ({"value.yaml": kubeconfig()}, ""),
        ({"value": kubeconfig(current=None)}, ""),
        ({"value": b"nonsense", "mine": kubeconfig()}, "mine"),
    ],
)
async def test_the_current_or_only_context_is_taken(ctx: Context, data: dict[str, bytes], key: str) -> None:
    access = await opened(ctx, data, key)
    assert (access.server, access.context, access.tls.ca) == ("https://remote:6443", "remote", b"the CA")
    assert access.headers is not None
    assert dict(await access.headers()) == {"Authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("cluster", "user", "named"),
    [
        ({}, {"exec": {"command": "/bin/sh"}}, "exec"),
        ({}, {"auth-provider": {"name": "gcp"}}, "auth-provider"),
        ({}, {"tokenFile": "/var/run/secrets/token"}, "tokenFile"),
        ({}, {"client-certificate": "/etc/passwd"}, "client-certificate"),
        ({}, {"client-key": "/etc/shadow"}, "client-key"),
        ({"certificate-authority": "/etc/ssl/ca"}, {}, "certificate-authority"),
        ({"insecure-skip-tls-verify": True}, {}, "insecure-skip-tls-verify"),
        ({"server": "http://remote:8080"}, {}, "a server without https"),
    ],
)
async def test_what_reaches_into_this_machine_or_trusts_unseen_is_refused_by_name(
    ctx: Context, cluster: dict[str, Any], user: dict[str, Any], named: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        await opened(ctx, {"value": kubeconfig(cluster, user)})
    assert str(caught.value).startswith(f"{WHERE}: a kubeconfig in a Secret must hold all it needs, and may not have ")
    assert named in str(caught.value)


async def test_a_key_that_is_not_there_is_named(ctx: Context) -> None:
    with pytest.raises(Misconfigured, match=r"Secret/team/remote lacks the key value or value\.yaml"):
        await opened(ctx, {})
    with pytest.raises(Misconfigured, match="lacks the key mine"):
        await opened(ctx, {"value": kubeconfig()}, "mine")


@pytest.mark.parametrize("text", [b"- a", b"\xff", b"{", b'{"clusters": 7}', kubeconfig(current="other")])
async def test_what_is_no_kubeconfig_is_said_with_its_secret_and_without_its_text(ctx: Context, text: bytes) -> None:
    with pytest.raises(Exception, match=WHERE) as caught:
        await opened(ctx, {"value": text})
    assert isinstance(caught.value, Misconfigured)
