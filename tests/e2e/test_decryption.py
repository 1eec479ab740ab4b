"""Encrypted files the whole way: from a repository to the cluster, in memory only, with keys that are read again at each use."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from fakes import key_services, sops_file
from fakes.world import World, app_ref, config_map, kustomization

from gitopsd.model.outcome import Outcome, Phase

pytestmark = pytest.mark.asyncio
DATA = Path(__file__).parents[1] / "data" / "sops"
PASSWORD = "correct-horse-battery"
SECRET = "/api/v1/namespaces/default/secrets/basic-auth"
DECRYPTION = "decryption: {provider: sops, secretRef: {name: sops-age}}"
SEALED = (DATA / "sealed" / "guide-age.yaml").read_text()


def keys(*files: str, name: str = "sops-age", namespace: str = "flux-system") -> str:
    """A Secret with these keys, as Flux's guides make it."""
    values = {file: base64.b64encode((DATA / "keys" / file).read_bytes()).decode() for file in files}
    lines = "".join(f"  {file}: {value}\n" for file, value in values.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata:\n{lines}"


def ready(outcome: Outcome) -> bool:
    """True when it is; else the message is shown."""
    assert outcome.phase is Phase.READY, outcome.message
    return True


async def held(world: World, path: str = SECRET) -> dict[str, str]:
    found = await world.get(path)
    assert found is not None
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


@pytest.mark.parametrize(
    ("file", "key"),
    [("guide-age.yaml", "identity.agekey"), ("guide-pgp.yaml", "rsa.asc"), ("guide-ssh.yaml", "ed25519.agekey")],
)
async def test_an_encrypted_secret_reaches_the_cluster_as_it_was(world: World, file: str, key: str) -> None:
    world.repository.commit({"app/secret.yaml": (DATA / "sealed" / file).read_text()})
    world.declare(kustomization("app", DECRYPTION), keys(key))
    assert ready(await world.app())
    assert await held(world) == {"username": "admin", "password": PASSWORD}


async def test_generators_and_patches_read_what_is_encrypted(world: World) -> None:
    world.repository.commit(
        {
            "app/kustomization.yaml": "resources: [plain.yaml]\nnamespace: default\ngeneratorOptions: {disableNameSuffixHash: true}\n"
            "secretGenerator:\n- {name: files, files: [values.json, raw=noise.bin]}\n- {name: envs, envs: [values.env]}\n"
            "configMapGenerator:\n- {name: sealed, files: [values.json]}\npatches:\n- {path: age.yaml}\n",
            "app/plain.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: basic-auth, namespace: default}\n",
            "app/age.yaml": SEALED,
            **{f"app/{n}": (DATA / "sealed" / n).read_text() for n in ("values.json", "values.env", "noise.bin")},
        }
    )
    world.declare(kustomization("app", DECRYPTION), keys("identity.agekey"))
    assert ready(await world.app())
    assert (await held(world))["password"] == PASSWORD
    found = await world.get("/api/v1/namespaces/default/secrets/files")
    assert found is not None
    for name, key in (("values.json", "values.json"), ("noise.bin", "raw")):
        assert base64.b64decode(found["data"][key]) == (DATA / "plain" / name).read_bytes()
    assert (await held(world, "/api/v1/namespaces/default/secrets/envs"))["B"] == "two words"
    sealed = await world.get("/api/v1/namespaces/default/configmaps/sealed")
    assert sealed is not None
    assert sealed["data"]["values.json"] == (DATA / "sealed" / "values.json").read_text()


async def test_a_value_of_a_secret_that_is_an_encrypted_file_is_opened(world: World) -> None:
    inside = base64.b64encode((DATA / "sealed" / "values.json").read_bytes()).decode()
    text = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: basic-auth, namespace: default}}\ndata: {{values.json: {inside}}}\n"
    world.repository.commit({"app/secret.yaml": text})
    world.declare(kustomization("app", DECRYPTION), keys("identity.agekey"))
    assert ready(await world.app())
    assert (await held(world))["values.json"] == (DATA / "plain" / "values.json").read_text()


async def test_without_decryption_an_encrypted_secret_never_reaches_the_cluster(world: World) -> None:
    world.repository.commit({"app/secret.yaml": SEALED})
    world.declare(kustomization("app"))
    outcome = await world.app()
    assert outcome.phase is Phase.RETRYING
    assert (
        "Secret/default/basic-auth: is encrypted with sops, and is not to be decrypted; set spec.decryption"
        in outcome.message
    )
    assert await world.get(SECRET) is None


async def test_settings_for_all_apps_are_inherited_and_tried_after_the_apps_own_keys(world: World) -> None:
    world.repository.commit({"app/secret.yaml": SEALED})
    world.settings = "  decryption: {provider: sops, secret: shared}\n"
    world.declare(kustomization("app"), keys("identity.agekey", name="shared"))
    assert ready(await world.app())
    own = kustomization("app", DECRYPTION)
    world.declare(own, keys("second.agekey"), keys("identity.agekey", name="shared"))
    assert ready(await world.app())


async def test_a_rotated_key_takes_effect_without_a_restart(world: World) -> None:
    world.repository.commit({"app/secret.yaml": SEALED})
    world.declare(kustomization("app", DECRYPTION), keys("second.agekey"))
    async with world.engine() as engine:
        before = await world.until("app", Phase.RETRYING)
        assert "app/secret.yaml: no key opens it: age age1" in before.message
        assert "Secret/flux-system/sops-age[second.agekey] does not open it" in before.message
        since = len(world.heard.outcomes)
        world.declare(kustomization("app", DECRYPTION), keys("identity.agekey"))
        engine.declare(world.load().declared)
        await world.until("app", Phase.READY, since=since)
        made = engine.board.renders[app_ref("app")]
        since = len(world.heard.outcomes)
        world.declare(kustomization("app", DECRYPTION), keys("identity.agekey", "third.agekey"))
        engine.declare(world.load().declared)
        await world.until("app", since=since)
        assert engine.board.renders[app_ref("app")].intent != made.intent
    assert (await held(world))["password"] == PASSWORD


async def test_a_missing_secret_with_keys_is_waited_for_by_name(world: World) -> None:
    world.repository.commit({"app/secret.yaml": SEALED})
    world.declare(kustomization("app", DECRYPTION))
    outcome = await world.app()
    assert outcome.phase is Phase.WAITING
    assert "spec.decryption.secretRef: Secret/flux-system/sops-age not found" in outcome.message


async def test_keys_are_found_in_the_cluster_too(world: World) -> None:
    await world.send("POST", "/api/v1/namespaces", {"metadata": {"name": "flux-system"}})
    key = base64.b64encode((DATA / "keys" / "identity.agekey").read_bytes()).decode()
    there = {"metadata": {"name": "sops-age"}, "data": {"age.agekey": key}}
    await world.send("POST", "/api/v1/namespaces/flux-system/secrets", there)
    world.repository.commit({"app/secret.yaml": SEALED})
    world.declare(kustomization("app", DECRYPTION))
    assert ready(await world.app())


async def test_what_was_changed_since_is_refused_or_taken_as_flux_does(world: World) -> None:
    world.repository.commit({"app/secret.yaml": SEALED.replace("name: basic-auth", "name: other")})
    world.declare(kustomization("app", DECRYPTION), keys("identity.agekey"))
    outcome = await world.app()
    assert "app/secret.yaml: its code over all values (mac) does not fit" in outcome.message
    world.declare(
        kustomization("app", DECRYPTION, annotations="{gitopsd.io/sops-mac: ignore}"), keys("identity.agekey")
    )
    assert ready(await world.app())


async def test_an_unknown_provider_is_named(world: World) -> None:
    world.repository.commit({"app/secret.yaml": SEALED})
    world.declare(kustomization("app", "decryption: {provider: vals}"))
    assert "no plugin decrypts 'vals' (there is sops)" in (await world.app()).message


async def test_plaintext_and_keys_are_on_no_disk_and_in_no_message(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = config_map("b", broken="${q}x")
    world.repository.commit({"app/secret.yaml": SEALED, "app/b.yaml": broken})
    variables = "postBuild: {substitute: {q: '\"'}}"
    world.declare(kustomization("app", DECRYPTION, variables), keys("identity.agekey"))
    assert (await world.app()).phase is Phase.RETRYING
    world.repository.commit({"app/b.yaml": None})
    async with world.engine() as engine:
        await world.until("app", Phase.READY, since=len(world.heard.outcomes))
        made = engine.board.renders[app_ref("app")]
        assert made.kept is not None
        assert engine.world.store.outline(app_ref("app"), made.intent) is None
    identity = (DATA / "keys" / "identity.agekey").read_text().splitlines()[-1]
    disk = b"".join(f.read_bytes() for f in (world.folder / "state").rglob("*") if f.is_file())
    said = "".join(o.message for o in world.heard.outcomes) + "".join(capfd.readouterr())
    for secret in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), identity):
        assert secret.encode() not in disk
        assert secret not in said


async def test_keys_that_vault_keeps_are_asked_for_once_a_render_and_a_new_token_is_used_at_once(world: World) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "basic-auth", "namespace": "default"},
        "stringData": {"password": PASSWORD},
    }
    decryption = "decryption: {provider: sops, secretRef: {name: vault}}"
    async with key_services.serving(key_services.vault("s.right-token")) as service:
        sealed = sops_file.for_vault(document, service.url, key_services.DATA_KEY)
        again = {**document, "metadata": {"name": "again", "namespace": "default"}}
        beside = sops_file.for_vault(again, service.url, key_services.DATA_KEY).replace(
            'created_at: "2026', 'created_at: "2027'
        )
        world.repository.commit({"app/secret.yaml": sealed, "app/z.yaml": beside})
        world.declare(kustomization("app", decryption), token("s.wrong-token"))
        async with world.engine() as engine:
            refused = await world.until("app", Phase.RETRYING)
            said = f"Vault {service.url}, key transit/keys/main answered 403: permission denied"
            assert f"app/secret.yaml: no key opens it: hc_vault main: {said}" in refused.message
            assert "s.wrong-token" not in refused.message
            since = len(world.heard.outcomes)
            world.declare(kustomization("app", decryption), token("s.right-token"))
            engine.declare(world.load().declared)
            await world.until("app", since=since)
        assert len(service.asked) == 4
    assert await held(world) == {"password": PASSWORD}


def token(value: str) -> str:
    return (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: vault, namespace: flux-system}\n"
        f"stringData: {{sops.vault-token: {value}}}\n"
    )


async def test_a_value_that_is_part_of_a_name_masks_no_name(world: World) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: default}\nstringData: {stage: production}\n"
    world.repository.commit({"app/secret.yaml": text, "shop-production/a.yaml": "kind: [broken"})
    world.declare(kustomization("app"), kustomization("shop-production"))
    outcomes = await world.once()
    assert outcomes[app_ref("shop-production")].message.startswith("Kustomization/flux-system/shop-production: ")


async def test_what_is_set_for_all_apps_counts_for_their_children_too(world: World) -> None:
    world.settings = "  decryption: {provider: sops, secret: shared}\n"
    world.repository.commit({"app/child.yaml": kustomization("child"), "child/secret.yaml": SEALED})
    world.declare(kustomization("app"), keys("identity.agekey", name="shared"))
    assert ready((await world.once())[app_ref("child")])
    assert (await held(world))["password"] == PASSWORD


async def test_a_key_of_a_service_that_nobody_asks_is_named_with_its_file(world: World) -> None:
    """Huawei's, which sops knows of."""
    entry = {"key_id": "eu-west-101:abc", "enc": "c2VhbGVk", "created_at": sops_file.MODIFIED}
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"password": PASSWORD}}
    sealed = sops_file.sealed_with(document, bytes(32), {"hckms": [entry]}, fields=sops_file.DATA)
    world.repository.commit({"app/secret.yaml": sealed})
    world.declare(kustomization("app", DECRYPTION), keys("identity.agekey"))
    said = (await world.app()).message
    assert "app/secret.yaml: no key opens it: hckms eu-west-101:abc: no plugin asks services of this sort" in said
    assert "(there are azure_kv, gcp_kms, hc_vault, kms)" in said


@pytest.mark.parametrize(("file", "key"), [("guide-age.yaml", "identity.agekey"), ("guide-pgp.yaml", "rsa.asc")])
async def test_the_repository_of_fluxs_guides_is_reconciled(world: World, file: str, key: str) -> None:
    """With the rules for sops and the public key at its root, and the Secret beside what is not encrypted."""
    rules = "creation_rules:\n- path_regex: .*.yaml\n  encrypted_regex: ^(data|stringData)$\n"
    world.repository.commit(
        {
            ".sops.yaml": rules,
            ".sops.pub.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
            "clusters/my-cluster/.sops.yaml": rules,
            "clusters/my-cluster/basic-auth.yaml": (DATA / "sealed" / file).read_text(),
            "clusters/my-cluster/settings.yaml": config_map("settings"),
        }
    )
    world.declare(kustomization("app", DECRYPTION, path="clusters/my-cluster"), keys(key))
    assert ready(await world.app())
    assert await held(world) == {"username": "admin", "password": PASSWORD}
    assert await world.exists("settings")
