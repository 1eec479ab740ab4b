"""Artifacts of a registry, and artifacts that somebody else made, the whole way onto a cluster, with real worker processes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fakes import cosign, notary
from fakes.notary import Authority
from fakes.registry import Answer, Registry, digest, layer, serving
from fakes.sigstore import Sigstore
from fakes.world import World, app_ref, config_map, kustomization

from gitopsd.model.identity import ObjectRef
from gitopsd.model.outcome import Phase
from gitopsd.store import Store

pytestmark = pytest.mark.asyncio
REF = ObjectRef(kind="OCIRepository", namespace="flux-system", name="artifact")
PASSWORD = "correct-horse-battery"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry(login="bearer", password=PASSWORD)) as running:
        yield running


def files(**contents: str) -> bytes:
    return layer({f"app/{name}.yaml": text.encode() for name, text in contents.items()})


def artifact(registry: Registry, *spec: str) -> str:
    lines = "".join(f"  {line}\n" for line in spec)
    return (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: artifact, namespace: flux-system}\n"
        f"spec:\n  interval: 1h\n  url: {registry.url}\n  secretRef: {{name: login}}\n{lines}"
    )


def login(registry: Registry) -> str:
    auths = {"auths": {registry.host: {"username": registry.username, "password": registry.password}}}
    data = base64.b64encode(json.dumps(auths).encode()).decode()
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: login, namespace: flux-system}}\ndata: {{.dockerconfigjson: {data}}}\n"


APP = kustomization("app", "sourceRef: {kind: OCIRepository, name: artifact}")


async def test_artifact_of_a_registry_is_applied_and_followed(world: World, registry: Registry) -> None:
    first = registry.artifact(files(a=config_map("a"), b=config_map("b")), tag="1.0.0")
    world.declare(artifact(registry, "ref: {semver: 1.x, semverFilter: '^1'}"), login(registry), APP, source="")

    done = await world.once()

    assert done[app_ref("app")].phase is Phase.READY, done
    assert str(done[app_ref("app")].applied) == f"1.0.0@{first}"
    assert await world.exists("a", "b")

    second = registry.artifact(files(a=config_map("a")), tag="1.1.0")
    assert str((await world.app()).applied) == f"1.1.0@{second}"
    assert await world.exists("a")
    assert not await world.exists("b")


async def test_unsigned_artifact_changes_nothing(world: World, registry: Registry) -> None:
    key = cosign.key()
    signed = registry.artifact(files(a=config_map("a")), tag="latest")
    cosign.bundle(registry, signed, key)
    keys = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys, namespace: flux-system}}\ndata: {{k.pub: {base64.b64encode(key.public).decode()}}}\n"
    world.declare(artifact(registry, "verify: {secretRef: {name: keys}}"), login(registry), keys, APP, source="")
    assert (await world.app()).phase is Phase.READY
    registry.artifact(files(b=config_map("b")), tag="latest")

    done = await world.once()

    assert (done[REF].phase, done[REF].reason) == (Phase.STALLED, "VerificationError")
    assert f"latest@{signed}" in done[REF].message
    with Store.open(world.folder / "state") as store:
        conditions = {c["type"]: (c["status"], c["reason"]) for c in (store.status(REF) or {})["conditions"]}
    assert conditions["SourceVerified"] == ("False", "VerificationError")
    assert conditions["ArtifactInStorage"] == ("True", "Succeeded")
    assert done[app_ref("app")].phase is Phase.READY
    assert await world.exists("a")
    assert not await world.exists("b")


def secret(name: str, **data: bytes) -> str:
    written = ", ".join(f"{key}: {base64.b64encode(value).decode()}" for key, value in data.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: flux-system}}\ndata: {{{written}}}\n"


async def conditions(world: World) -> dict[str, tuple[str, str, str]]:
    with Store.open(world.folder / "state") as store:
        found = (store.status(REF) or {})["conditions"]
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}


async def test_artifact_that_is_signed_without_a_key_is_applied(world: World, registry: Registry) -> None:
    sigstore = Sigstore()
    identity = "{issuer: '^https://login.example.org$', subject: '@example.org$'}"
    asking = f"verify: {{matchOIDCIdentity: [{identity}], trustedRootSecretRef: {{name: root}}}}"
    root = secret("root", **{"trusted_root.json": sigstore.trusted_root()})
    world.declare(artifact(registry, asking), login(registry), root, APP, source="")
    signed = registry.artifact(files(a=config_map("a")), tag="latest")
    sigstore.bundle(registry, signed, sigstore.signer())

    assert (await world.app()).phase is Phase.READY
    assert (await conditions(world))["SourceVerified"] == (
        "True",
        "Succeeded",
        f"verified signature of revision latest@{signed} by ada@example.org of https://login.example.org",
    )

    stranger = registry.artifact(files(b=config_map("b")), tag="latest")
    sigstore.bundle(registry, stranger, sigstore.signer("eve@example.com"))
    done = await world.once()

    assert (done[REF].phase, done[REF].reason) == (Phase.STALLED, "VerificationError")
    assert "it is by eve@example.com" in done[REF].message
    assert await world.exists("a")


async def test_trust_policy_that_lets_in_what_it_cannot_verify_says_nothing_is_verified(
    world: World, registry: Registry
) -> None:
    statement = {
        "name": "all",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "audit"},
        "trustStores": ["ca:team"],
        "trustedIdentities": ["*"],
    }
    policy = json.dumps({"version": "1.0", "trustPolicies": [statement]}).encode()
    trust = secret("trust", **{"trustpolicy.json": policy, "ca.crt": Authority().pem})
    asking = artifact(registry, "verify: {provider: notation, secretRef: {name: trust}}")
    world.declare(asking, login(registry), trust, APP, source="")
    signed = registry.artifact(files(a=config_map("a")), tag="latest")
    notary.sign(registry, signed, Authority().signer(ends=datetime.now(UTC) + notary.DAY))

    assert (await world.app()).phase is Phase.READY
    assert "SourceVerified" not in await conditions(world)


async def test_plan_shows_what_another_tag_and_a_local_folder_would_change(world: World, registry: Registry) -> None:
    registry.artifact(files(a=config_map("a")), tag="latest")
    registry.artifact(files(a=config_map("a"), b=config_map("b")), tag="next")
    world.declare(artifact(registry), login(registry), APP, source="")
    assert (await world.app()).phase is Phase.READY
    (world.folder / "work" / "app").mkdir(parents=True)
    (world.folder / "work" / "app" / "c.yaml").write_text(config_map("a", other="value"))

    other = await world.plan("app", revisions=["next"])
    local = await world.plan("app", folders=[str(world.folder / "work")])

    assert [(change.action, change.name) for app in other.apps for change in app.changes] == [("create", "b")]
    assert [(change.action, change.name) for app in local.apps for change in app.changes] == [("update", "a")]


async def test_login_is_nowhere_on_the_disk(world: World, registry: Registry) -> None:
    registry.artifact(files(a=config_map("a")), tag="latest")
    world.declare(artifact(registry), login(registry), APP, source="")

    assert (await world.app()).phase is Phase.READY

    state = b"".join(file.read_bytes() for file in (world.folder / "state").rglob("*") if file.is_file())
    assert PASSWORD.encode() not in state
    assert registry.token.encode() not in state


async def test_metadata_of_the_artifact_is_kept(world: World, registry: Registry) -> None:
    registry.artifact(files(a=config_map("a")), tag="latest", annotations={"org.opencontainers.image.revision": "main"})
    world.declare(artifact(registry), login(registry), APP, source="")
    await world.once()

    with Store.open(world.folder / "state") as store:
        found = store.artifact(REF)

    assert found is not None
    assert found.metadata == {"org.opencontainers.image.revision": "main"}


async def test_artifact_of_somebody_else_is_applied_and_another_one_takes_its_place(world: World) -> None:
    def external(data: bytes, host: str) -> str:
        made = (
            f"{{url: 'http://{host}/{digest(data)[7:]}', digest: '{digest(data)}', revision: 'latest@{digest(data)}'}}"
        )
        return (
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: ExternalArtifact\n"
            f"metadata: {{name: words, namespace: flux-system}}\nspec: {{}}\nstatus: {{artifact: {made}}}\n"
        )

    first, second = files(a=config_map("a")), files(b=config_map("b"))
    app = kustomization("app", "sourceRef: {kind: ExternalArtifact, name: words}")
    with serving(Registry()) as server:
        for data in (first, second):
            server.rule(digest(data)[7:], Answer(body=data))
        world.declare(external(first, server.host), app, source="")
        assert (await world.app()).phase is Phase.READY
        assert await world.exists("a")
        (world.folder / "work" / "app").mkdir(parents=True)
        (world.folder / "work" / "app" / "c.yaml").write_text(config_map("c"))
        local = await world.plan("app", folders=[str(world.folder / "work")])
        refused = await world.plan("app", revisions=["v2"])
        world.declare(external(second, server.host), app, source="")
        assert (await world.app()).phase is Phase.READY

    assert {(change.action, change.name) for it in local.apps for change in it.changes} == {
        ("create", "c"),
        ("delete", "a"),
    }
    assert [source.error for source in refused.sources] == [
        "ExternalArtifact/flux-system/words: no other revision of it can be asked for; a local folder "
        "can stand in for it (--path)"
    ]
    assert await world.exists("b")
    assert not await world.exists("a")
