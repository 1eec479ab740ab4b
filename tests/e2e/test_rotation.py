"""A key or a credential that is rotated takes effect without a restart: the running engine reads it anew at its next look."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from fakes import git_server
from fakes.registry import Registry, layer, serving
from fakes.world import SOURCE, World, app_ref, config_map, kustomization, maps, repository

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.runtime.engine import Engine

pytestmark = pytest.mark.asyncio
DATA = Path(__file__).parents[1] / "data" / "sops"
DECRYPTION = "decryption: {provider: sops, secretRef: {name: keys}}"
OCI = ObjectRef(kind="OCIRepository", namespace="flux-system", name="artifact")


def secret(name: str, **values: bytes) -> str:
    lines = "".join(f"  {key}: {base64.b64encode(value).decode()}\n" for key, value in values.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: flux-system}}\ndata:\n{lines}"


async def looked(engine: Engine, ref: ObjectRef, world: World, *declared: str, source: str | None = None) -> Phase:
    """What comes of the next look once this is declared."""
    world.declare(*declared, source=source)
    engine.declare(world.load().declared)
    return (await engine.reconcile(ref, "now")).phase


@pytest.mark.parametrize(
    ("file", "wrong", "right", "name"),
    [
        ("guide-age.yaml", "second.agekey", "identity.agekey", "age.agekey"),
        ("guide-pgp.yaml", "ecc.asc", "rsa.asc", "pgp.asc"),
    ],
)
async def test_a_key_of_encrypted_files(world: World, file: str, wrong: str, right: str, name: str) -> None:
    world.repository.commit({"app/secret.yaml": (DATA / "sealed" / file).read_text()})
    app, held = kustomization("app", DECRYPTION), {key: (DATA / "keys" / key).read_bytes() for key in (wrong, right)}
    world.declare(app, secret("keys", **{name: held[wrong]}))
    async with world.engine() as engine:
        await world.until("app", Phase.RETRYING)
        assert await looked(engine, app_ref("app"), world, app, secret("keys", **{name: held[right]})) is Phase.READY
        assert await looked(engine, app_ref("app"), world, app, secret("keys", **{name: held[wrong]})) is Phase.RETRYING


async def test_a_password_of_git(world: World) -> None:
    world.repository.commit(maps("app", "a"))
    with git_server.http_server(world.repository.path) as server:
        source = repository(server.url, "ref: {branch: main}", "secretRef: {name: login}")
        server.behaviour.username, server.behaviour.password = "robot", "the-first-password"

        def login(password: str) -> str:
            return secret("login", username=b"robot", password=password.encode())

        world.declare(kustomization("app"), login("the-first-password"), source=source)
        async with world.engine() as engine:
            await world.until("app")
            server.behaviour.password = "the-second-password"
            refused = await engine.reconcile(SOURCE, "now")
            assert refused.phase is Phase.RETRYING
            assert "the-first-password" not in refused.message
            world.repository.commit(maps("app", "b"))
            declared = (kustomization("app"), login("the-second-password"))
            assert await looked(engine, SOURCE, world, *declared, source=source) is Phase.READY
            await engine.once()
    assert await world.exists("a", "b")


async def test_a_login_of_a_registry(world: World) -> None:
    with serving(Registry(login="basic", password="the-first-password")) as registry:
        source = (
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: artifact, namespace: flux-system}\n"
            f"spec: {{interval: 1h, url: '{registry.url}', secretRef: {{name: login}}, ref: {{tag: latest}}}}\n"
        )
        app = kustomization("app", "sourceRef: {kind: OCIRepository, name: artifact}")

        def login(password: str) -> str:
            auths = {"auths": {registry.host: {"username": registry.username, "password": password}}}
            return secret("login", **{".dockerconfigjson": json.dumps(auths).encode()})

        registry.artifact(layer({"app/a.yaml": config_map("a").encode()}), tag="latest")
        world.declare(app, login("the-first-password"), source=source)
        async with world.engine() as engine:
            await world.until("app")
            registry.password = "the-second-password"
            refused = await engine.reconcile(OCI, "now")
            assert refused.phase is Phase.RETRYING
            assert "the-first-password" not in refused.message
            registry.artifact(layer({"app/b.yaml": config_map("b").encode()}), tag="latest")
            assert await looked(engine, OCI, world, app, login("the-second-password"), source=source) is Phase.READY
            await engine.once()
    assert await world.exists("b")
