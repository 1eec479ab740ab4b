"""The OCI source: which artifact a ref names, which layer is the content, and what may not come in."""

from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import replace

import pytest
from fakes.certificate import self_signed
from fakes.forward_proxy import forward_proxy
from fakes.registry import Answer, Registry, digest, layer, serving

from gitopsd.plugin import Http, NotReady, Rejected, Revision, Transient, UsageError, VerificationFailed
from gitopsd.plugin.egress import Egress

pytestmark = pytest.mark.asyncio

FILES = {"app/a.yaml": b"a: 1\n", "b.yaml": b"b: 2\n"}
ONE, OTHER = layer(FILES), layer({"other.yaml": b"c: 3\n"})


async def test_tag_is_the_revision_with_its_digest(world, registry, read):
    name = registry.artifact(ONE, tag="v1")

    revision, stored = await world.sync(read(ref={"tag": "v1"}))

    assert str(revision) == f"v1@{name}"
    assert world.contents(stored.tree) == FILES


async def test_latest_is_the_tag_where_none_is_named(world, registry, read):
    name = registry.artifact(ONE, tag="latest")

    assert str(await world.source.resolve(read(), world.ctx)) == f"latest@{name}"


async def test_digest_wins_and_costs_no_request(world, registry, read):
    name = registry.artifact(ONE)
    registry.artifact(OTHER, tag="v2")
    intent = read(ref={"digest": name, "semver": ">=1.0", "tag": "v2"})

    revision = await world.source.resolve(intent, world.ctx)

    assert (str(revision), registry.requests) == (name, [])
    stored = await world.source.fetch(intent, revision, None, world.ctx)
    assert world.contents(stored.tree) == FILES


async def test_version_constraint_wins_over_a_tag(world, registry, read):
    for tag in ("1.0.0", "v1.2.0", "1.10.0", "2.0.0-rc.1", "latest", "1.9"):
        registry.artifact(ONE if tag == "1.10.0" else OTHER, tag=tag)

    revision, stored = await world.sync(read(ref={"semver": ">=1.0.0", "tag": "latest"}))

    assert revision.name == "1.10.0"
    assert world.contents(stored.tree) == FILES


async def test_filter_leaves_tags_out_before_they_are_compared(world, registry, read):
    for tag in ("1.0.0-alpine", "1.1.0-slim", "1.2.0"):
        registry.artifact(ONE, tag=tag)

    intent = read(ref={"semver": ">=1.0.0-0", "semverFilter": "-alpine$"})

    assert (await world.source.resolve(intent, world.ctx)).name == "1.0.0-alpine"


async def test_underscore_of_a_tag_is_the_plus_of_its_version(world, registry, read):
    registry.artifact(ONE, tag="1.0.0_build.5")

    assert (await world.source.resolve(read(ref={"semver": "1.0.x"}), world.ctx)).name == "1.0.0_build.5"


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ({"semver": ">=9"}, "no tag of 1 fits spec.ref.semver '>=9'"),
        (
            {"semver": ">=1", "semverFilter": "x"},
            "no tag of 0 fits spec.ref.semver '>=1' and spec.ref.semverFilter 'x'",
        ),
        ({"tag": "nope"}, r"manifests/nope: not found in the registry \(404\); check spec.ref"),
    ],
)
async def test_what_no_tag_fits_is_said(world, registry, read, ref, message):
    registry.artifact(ONE, tag="1.0.0")

    with pytest.raises(Rejected, match=message) as caught:
        await world.source.resolve(read(ref=ref), world.ctx)

    assert caught.value.reason == "OCIArtifactPullFailed"
    assert str(caught.value).startswith("OCIRepository/flux-system/app: ")


async def test_digest_that_is_not_there_is_said(world, registry, read):
    with pytest.raises(Rejected, match=r"not found in the registry .* check spec\.ref"):
        await world.sync(read(ref={"digest": digest(b"nope")}))


async def test_annotations_of_the_manifest_are_the_artifacts(world, registry, read):
    annotations = {"org.opencontainers.image.revision": "main@sha1:abc", "org.opencontainers.image.source": "here"}
    registry.artifact(ONE, tag="latest", annotations=annotations)

    _, stored = await world.sync(read())

    assert stored.metadata == annotations


async def test_first_layer_of_the_selected_type_is_the_content(world, registry, read):
    text = registry.blob(OTHER, "text/plain")
    content = registry.blob(ONE, "application/x-content")
    registry.artifact(tag="latest", layers=[text, content])

    _, first = await world.sync(read())
    _, selected = await world.sync(read(layerSelector={"mediaType": "application/x-content"}))

    assert world.contents(first.tree) == {"other.yaml": b"c: 3\n"}
    assert world.contents(selected.tree) == FILES


@pytest.mark.parametrize(
    ("layers", "message"),
    [((ONE,), "has no layer of the type 'text/x', but application/vnd"), ((), "but no layer at all")],
)
async def test_artifact_without_such_a_layer_is_refused(world, registry, read, layers, message):
    registry.artifact(*layers, tag="latest")

    with pytest.raises(Rejected, match=message) as caught:
        await world.sync(read(layerSelector={"mediaType": "text/x"}))

    assert caught.value.reason == "OCIArtifactLayerOperationFailed"


async def test_extracted_layer_goes_through_the_ignore_rules_and_a_copied_one_does_not(world, registry, read):
    files = {**FILES, "logo.png": b"x", ".sourceignore": b"b.yaml\n", "c.txt": b"c"}
    registry.artifact(layer(files), tag="latest")

    _, extracted = await world.sync(read(ignore="*.txt"))
    _, copied = await world.sync(read(ignore="*.txt", layerSelector={"operation": "copy"}))

    assert set(world.contents(extracted.tree)) == {"app/a.yaml", ".sourceignore", "logo.png"}
    assert world.contents(copied.tree) == files


async def test_links_that_are_left_out_are_said(world, registry, read):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "b.yaml"
        opened.addfile(link)
    registry.artifact(buffer.getvalue(), tag="latest")

    await world.sync(read())

    assert [(log["event"], log["paths"]) for log in world.logs] == [("symbolic links left out", "link")]


async def test_hostile_layer_is_refused_with_what_is_wrong_and_where(world, registry, read):
    registry.artifact(layer({"../../etc/passwd": b"x"}), tag="latest")

    with pytest.raises(Rejected) as caught:
        await world.sync(read())

    assert str(caught.value) == (
        f"OCIRepository/flux-system/app: the layer of {registry.url}: ../../etc/passwd: a path that leaves the archive"
    )
    assert caught.value.reason == "OCIArtifactLayerOperationFailed"


async def test_nothing_is_left_on_the_disk_whatever_happens(world, registry, read, tmp_path):
    registry.artifact(ONE, tag="good")
    registry.artifact(b"no archive", tag="bad")
    registry.artifact(OTHER, tag="lie")
    registry.rule(f"GET .*{digest(OTHER)}", Answer(body=b"x" * len(OTHER)))

    await world.sync(read(ref={"tag": "good"}))
    with pytest.raises(Rejected):
        await world.sync(read(ref={"tag": "bad"}))
    with pytest.raises(VerificationFailed):
        await world.sync(read(ref={"tag": "lie"}))

    assert list((tmp_path / "cache" / "oci").iterdir()) == []


async def test_what_a_process_left_that_died_is_removed_a_day_later(world, registry, read, tmp_path):
    folder = tmp_path / "cache" / "oci"
    folder.mkdir(parents=True)
    now = world.ctx.now().timestamp()
    for name, age in (("old.spool", 90_000), ("new.spool", 60)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (now - age, now - age))
    registry.artifact(ONE, tag="latest")

    await world.sync(read())

    assert [path.name for path in folder.iterdir()] == ["new.spool"]


async def test_revision_is_fetched_as_it_was_resolved_although_the_tag_moved(world, registry, read):
    registry.artifact(ONE, tag="latest")
    revision = await world.source.resolve(read(), world.ctx)
    registry.artifact(OTHER, tag="latest")

    stored = await world.source.fetch(read(), revision, None, world.ctx)

    assert world.contents(stored.tree) == FILES


@pytest.mark.parametrize("form", ["v1", "{digest}", "v1@{digest}"])
async def test_plans_may_ask_for_another_revision(world, registry, read, form):
    name = registry.artifact(ONE, tag="v1")
    registry.artifact(OTHER, tag="latest")

    intent = world.source.at(read(), form.format(digest=name))
    _, stored = await world.sync(intent)

    assert world.contents(stored.tree) == FILES


@pytest.mark.parametrize("text", ["main@sha1:abc", "a b", "", "@v1", "v1@sha256:ab"])
async def test_what_can_be_no_revision_is_refused(world, read, text):
    with pytest.raises(UsageError, match="neither a tag nor a digest"):
        world.source.at(read(), text)


async def test_plans_may_ask_for_a_local_folder(world, registry, read, tmp_path):
    folder = tmp_path / "content"
    for name, data in {**FILES, ".git/config": b"x", "logo.png": b"x", "c.txt": b"c"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    stored = await world.source.folder(read(ignore="*.txt"), folder, world.ctx)

    assert world.contents(stored.tree) == FILES
    assert registry.requests == []
    with pytest.raises(UsageError, match="no such folder"):
        await world.source.folder(read(), tmp_path / "nowhere", world.ctx)


async def test_login_comes_from_the_secret_and_its_parts_are_masked(world, registry, read, docker_config):
    registry.login = "bearer"
    registry.artifact(ONE, tag="latest")
    world.secrets.data["login"] = docker_config(registry.host, registry.username, registry.password)

    await world.sync(read(secretRef={"name": "login"}))

    assert registry.password.encode() in world.concealed


async def test_login_may_have_the_form_of_before(world, registry, read):
    registry.artifact(ONE, tag="latest")
    registry.login = "basic"
    entry = {registry.host: {"username": registry.username, "password": registry.password}}
    world.secrets.data["login"] = {".dockercfg": json.dumps(entry).encode()}

    assert await world.source.resolve(read(secretRef={"name": "login"}), world.ctx)


async def test_login_is_read_again_at_each_use(world, registry, read, docker_config):
    registry.login = "basic"
    registry.artifact(ONE, tag="latest")
    world.secrets.data["login"] = docker_config(registry.host, registry.username, "old")
    intent = read(secretRef={"name": "login"})
    with pytest.raises(Rejected, match="refused the login"):
        await world.source.resolve(intent, world.ctx)

    world.secrets.data["login"] = docker_config(registry.host, registry.username, registry.password)

    assert await world.source.resolve(intent, world.ctx)


async def test_login_for_another_registry_is_not_sent(world, registry, read, docker_config):
    registry.artifact(ONE, tag="latest")
    world.secrets.data["login"] = docker_config("ghcr.io", "ada", "hush-hush")

    await world.sync(read(secretRef={"name": "login"}))

    assert {request.authorization for request in registry.requests} == {""}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"username": b"ada"}, "lacks the key .dockerconfigjson"),
        ({".dockerconfigjson": b"hush"}, "the key .dockerconfigjson is no Docker configuration"),
    ],
)
async def test_secret_that_cannot_be_used_is_named(world, read, data, message):
    world.secrets.data["login"] = data

    with pytest.raises(Rejected, match=message) as caught:
        await world.source.resolve(read(secretRef={"name": "login"}), world.ctx)

    assert caught.value.reason == "AuthenticationFailed"
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("field", ["secretRef", "certSecretRef", "proxySecretRef"])
async def test_missing_secret_is_waited_for(world, read, field):
    with pytest.raises(NotReady, match="Secret/flux-system/gone not found"):
        await world.source.resolve(read({field: {"name": "gone"}}), world.ctx)


async def test_private_ca_comes_from_the_secret(world, read, tmp_path):
    import ssl

    certificate = self_signed(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(Registry(), tls=context) as secure:
        secure.artifact(ONE, tag="latest")
        with pytest.raises(Rejected, match=r"certificate is not trusted.*spec\.certSecretRef"):
            await world.source.resolve(read(url=secure.url), world.ctx)
        world.secrets.data["tls"] = {"ca.crt": certificate[0].read_bytes()}

        _, stored = await world.sync(read(url=secure.url, certSecretRef={"name": "tls"}))

    assert world.contents(stored.tree) == FILES


async def test_proxy_comes_from_the_secret(world, registry, read):
    registry.artifact(ONE, tag="latest")
    with serving(Registry(), address="127.0.0.3") as proxy:
        proxy.rule("CONNECT|/v2/$", Answer(status=503))
        proxy.rule("", Answer(headers={"Docker-Content-Digest": digest(b"by proxy")}))
        world.secrets.data["proxy"] = {"address": f"http://{proxy.host}".encode(), "username": b"u", "password": b"p"}

        revision = await world.source.resolve(read(proxySecretRef={"name": "proxy"}), world.ctx)

    assert revision == Revision(digest=digest(b"by proxy"), name="latest")
    assert proxy.requests[-1].headers["Proxy-Authorization"].startswith("Basic ")


async def test_socks_proxy_of_the_secret_is_the_only_way(world, registry, read):
    registry.artifact(ONE, tag="latest")
    with forward_proxy("socks5", "u:p") as proxy:
        proxy.names["registry.example.org"] = ("127.0.0.1", int(registry.host.rpartition(":")[2]))
        world.secrets.data["proxy"] = {"address": proxy.url.encode(), "username": b"u", "password": b"p"}
        url = "oci://registry.example.org:5000/team/app"

        _, stored = await world.sync(read(url=url, insecure=True, proxySecretRef={"name": "proxy"}))

    assert world.contents(stored.tree) == FILES
    assert set(proxy.asked) == {"registry.example.org:5000"}


async def test_address_that_the_settings_forbid_is_refused_in_words(world, registry, read):
    bounded = replace(world.ctx, http=Http(egress=Egress(private=False)))

    with pytest.raises(Rejected, match=r"127\.0\.0\.1 is no public address"):
        await world.source.resolve(read(), bounded)


@pytest.mark.parametrize("address", [b"", b"ftp://proxy", b"http://", b"http://[x", b"http://proxy:port"])
async def test_proxy_that_is_none_is_refused(world, read, address):
    world.secrets.data["proxy"] = {"address": address}

    with pytest.raises(Rejected, match=r"spec.proxySecretRef.*address must be http"):
        await world.source.resolve(read(proxySecretRef={"name": "proxy"}), world.ctx)


async def test_registry_that_is_away_is_transient(world, read):
    with pytest.raises(Transient, match="cannot be reached"):
        await world.source.resolve(read(url="oci://127.0.0.2:9/team/app"), world.ctx)
