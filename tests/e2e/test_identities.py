"""Service accounts of the cluster as who they are in a cloud, with the tokens and rights that the API server gives."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from fakes import clouds
from fakes.clouds import Asked, Cloud, sts
from fakes.real_cluster import RealCluster
from fakes.registry import Registry, layer, serving
from fakes.world import World, app_ref, config_map, kustomization

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase

pytestmark = pytest.mark.asyncio

APPLY = "application/apply-patch+yaml"
BUCKET = ObjectRef(kind="Bucket", namespace="flux-system", name="apps")
ROLE = "arn:aws:iam::123456789012:role/reader"
NAMESPACE = "/api/v1/namespaces/flux-system"
LISTED = (
    '<?xml version="1.0"?><ListBucketResult><Name>apps</Name><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount><Contents>'
    '<Key>app/lent.yaml</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e1"</ETag><Size>{size}</Size>'
    "</Contents></ListBucketResult>"
)


@asynccontextmanager
async def accounts(world: World, *names: str, **fields: object) -> AsyncIterator[None]:
    """Service accounts in flux-system; taken away again, since a real control plane is shared."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    await world.send("PATCH", f"{NAMESPACE}?fieldManager=somebody", namespace, APPLY)
    for name in names:
        annotations = {"eks.amazonaws.com/role-arn": ROLE}
        body = {"metadata": {"name": name, "annotations": annotations}, **fields}
        await world.send("POST", f"{NAMESPACE}/serviceaccounts", body)
    try:
        yield
    finally:
        for name in names:
            await world.send("DELETE", f"{NAMESPACE}/serviceaccounts/{name}")


def bucket(cloud: Cloud) -> str:
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: Bucket\nmetadata: {name: apps, namespace: flux-system}\n"
        f"spec: {{interval: 1h, provider: aws, bucketName: apps, endpoint: '{cloud.host}', insecure: true, region: eu-west-1,"
        " serviceAccountName: reader}\n"
    )


def amazon(cloud: Cloud) -> None:
    """The token service, and a bucket that opens for the keys that it lends."""
    content = config_map("lent").encode()

    def listed(asked: Asked) -> web.Response:
        known = "Credential=AKIA/" in asked.headers.get("authorization", "")
        if not known or asked.headers.get("x-amz-security-token") != "session-of-the-role":
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        return web.Response(text=LISTED.format(size=len(content)), content_type="application/xml")

    headers = {"ETag": '"e1"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}
    cloud.replies |= {
        "POST /": sts(
            "AssumeRoleWithWebIdentity",
            secret="s3cret-of-the-role",
            token="session-of-the-role",
            until="2099-01-01T00:00:00Z",
        ),
        "GET /apps/app/lent.yaml": web.Response(body=content, headers=headers),
        "GET /apps": listed,
    }


APP = kustomization("app", "sourceRef: {kind: Bucket, name: apps}")


async def test_token_of_an_account_opens_a_bucket_by_the_role_of_its_annotation(
    either: World, capfd: pytest.CaptureFixture[str]
) -> None:
    either.level = logging.DEBUG
    async with clouds.serving() as cloud, accounts(either, "reader"):
        amazon(cloud)
        either.environment = {"AWS_ENDPOINT_URL_STS": cloud.url}
        either.declare(APP, source=bucket(cloud))

        done = await either.once()

    assert done[app_ref("app")].phase is Phase.READY, done
    assert await either.get("/api/v1/namespaces/default/configmaps/lent") is not None
    [asked] = [asked for asked in cloud.asked if asked.method == "POST"]
    assert asked.form["RoleArn"] == ROLE
    if isinstance(either.running, RealCluster):
        claims = json.loads(base64.urlsafe_b64decode(asked.form["WebIdentityToken"].split(".")[1] + "=="))
        assert claims["aud"] == ["sts.amazonaws.com"]
        assert claims["sub"] == "system:serviceaccount:flux-system:reader"
        await either.send("DELETE", "/api/v1/namespaces/default/configmaps/lent")
    said = capfd.readouterr().err
    assert not [
        word for word in ("s3cret-of-the-role", "session-of-the-role", asked.form["WebIdentityToken"]) if word in said
    ]


async def test_account_that_is_not_there_is_waited_for_by_name(world: World) -> None:
    async with clouds.serving() as cloud, accounts(world):
        world.declare(APP, source=bucket(cloud))

        outcome = (await world.once())[BUCKET]

    assert outcome.phase is Phase.WAITING
    assert (
        "ServiceAccount/flux-system/reader: there is none in cluster test; or describe it in a Secret"
        in outcome.message
    )
    assert cloud.asked == []


async def test_secret_of_the_accounts_name_needs_no_account_in_the_cluster(world: World) -> None:
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: reader, namespace: flux-system}\n"
        f"stringData: {{roleArn: '{ROLE}', token: of-somebody-else}}\n"
    )
    async with clouds.serving() as cloud:
        amazon(cloud)
        world.environment = {"AWS_ENDPOINT_URL_STS": cloud.url}
        world.declare(APP, secret, source=bucket(cloud))

        done = await world.once()

    assert done[app_ref("app")].phase is Phase.READY, done
    assert cloud.asked[0].form["WebIdentityToken"] == "of-somebody-else"


async def test_refused_role_is_named_and_the_token_is_not(world: World) -> None:
    async with clouds.serving() as cloud, accounts(world, "reader"):
        cloud.replies["POST /"] = lambda asked: clouds.sts_error(
            "InvalidIdentityToken", f"no provider for {asked.form['WebIdentityToken']}"
        )
        world.environment = {"AWS_ENDPOINT_URL_STS": cloud.url}
        world.declare(APP, source=bucket(cloud))

        outcome = (await world.once())[BUCKET]

    assert outcome.reason == "AuthenticationFailed"
    assert f"for {ROLE} answered 400: no provider for ***; check the role's trust policy" in outcome.message


async def test_account_pulls_artifacts_with_its_image_pull_secrets(either: World) -> None:
    with serving(Registry(login="bearer", password="correct-horse-battery")) as registry:
        registry.artifact(layer({"app/pulled.yaml": config_map("pulled").encode()}), tag="latest")
        login = {"auths": {registry.host: {"username": registry.username, "password": registry.password}}}
        secret = {
            "metadata": {"name": "pull"},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(json.dumps(login).encode()).decode()},
        }
        source = (
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: apps, namespace: flux-system}\n"
            f"spec: {{interval: 1h, url: '{registry.url}', serviceAccountName: puller}}\n"
        )
        either.declare(kustomization("app", "sourceRef: {kind: OCIRepository, name: apps}"), source=source)
        async with accounts(either, "puller", imagePullSecrets=[{"name": "pull"}]):
            await either.send("POST", f"{NAMESPACE}/secrets", secret)
            try:
                done = await either.once()
            finally:
                await either.send("DELETE", f"{NAMESPACE}/secrets/pull")

    assert done[app_ref("app")].phase is Phase.READY, done
    assert await either.get("/api/v1/namespaces/default/configmaps/pulled") is not None
    if isinstance(either.running, RealCluster):
        await either.send("DELETE", "/api/v1/namespaces/default/configmaps/pulled")
