"""The registry client: polls, logins, redirects, and registries that do not keep to what they say."""

from __future__ import annotations

import contextlib
import json
import ssl
import tracemalloc

import pytest
from fakes.registry import EMPTY, INDEX, Answer, Registry, digest, layer, serving

from gitopsd.plugin import Http, Proxies, Rejected, Tls, Transient, VerificationFailed
from gitopsd.plugin.oci import Credential, Descriptor, NotFound, Way

pytestmark = pytest.mark.asyncio

LAYER = layer({"a.yaml": b"a: 1\n"})


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(Registry(), tls=context) as running:
        yield running


async def saved(client, ref, folder):
    found = await client.image(ref)
    await client.save(found.layers[0], folder / "layer")
    return (folder / "layer").read_bytes()


async def test_manifest_and_layer_come_as_they_were_pushed(registry, opened, tmp_path):
    name = registry.artifact(LAYER, tag="v1", annotations={"a": "b"})

    async with opened(registry) as client:
        found = await client.manifest("v1")
        data = await saved(client, "v1", tmp_path)

    assert (found.digest, dict(found.annotations), found.layers[0].size) == (name, {"a": "b"}, len(LAYER))
    assert data == LAYER


async def test_poll_is_one_request(registry, opened):
    name = registry.artifact(LAYER, tag="v1")
    async with opened(registry) as client:
        await client.head("v1")
    registry.requests.clear()

    async with opened(registry) as client:
        found = await client.head("v1")

    assert found.digest == name
    assert registry.paths == ["HEAD /v2/team/app/manifests/v1"]


async def test_host_that_speaks_plain_http_is_asked_for_tls_once(opened, secure, registry):
    """What is remembered is of this host, and forgotten where the connection fails."""
    registry.artifact(LAYER, tag="v1")
    async with opened(registry) as client:
        await client.head("v1")
    with pytest.raises(NotFound):
        async with opened(registry) as client:
            await client.head("nope")
    secure.artifact(LAYER, tag="v1")
    registry.host, plain = secure.host, registry.host

    with pytest.raises(Rejected, match="not trusted"):
        async with opened(registry) as client:
            await client.head("v1")

    registry.host = plain
    async with opened(registry) as client:
        assert (await client.head("v1")).digest


async def test_registry_that_says_no_digest_is_asked_for_the_manifest(registry, opened):
    name = registry.artifact(LAYER, tag="v1")
    registry.rule("HEAD", Answer())

    async with opened(registry) as client:
        assert (await client.head("v1")).digest == name


async def test_index_leads_to_the_image_for_this_platform(registry, opened):
    arm, amd = registry.artifact(b"arm"), registry.artifact(b"amd")
    registry.index(
        (arm, {"platform": {"os": "linux", "architecture": "arm64"}}),
        (amd, {"platform": {"os": "linux", "architecture": "amd64"}}),
        tag="v1",
    )

    async with opened(registry) as client:
        assert (await client.image("v1")).digest == amd


async def test_index_without_an_image_for_this_platform_is_refused(registry, opened):
    registry.index((registry.artifact(b"arm"), {"platform": {"os": "linux", "architecture": "arm64"}}), tag="v1")

    async with opened(registry) as client:
        with pytest.raises(Rejected, match="without an image for linux/amd64"):
            await client.image("v1")


async def test_indexes_in_indexes_end(registry, opened):
    at = registry.artifact(b"x")
    for _ in range(6):
        at = registry.index((at, {}), tag="v1")

    async with opened(registry) as client:
        with pytest.raises(Rejected, match="an index in an index, deeper than 4"):
            await client.image("v1")


async def test_index_that_names_itself_cannot_be(registry, opened):
    """A digest cannot be in what it is the digest of, so the registry has to lie about it."""
    lie = digest(b"a lie")
    raw = json.dumps({"mediaType": INDEX, "manifests": [{"mediaType": INDEX, "digest": lie, "size": 1}]}).encode()
    registry.manifests[lie] = INDEX, raw
    registry.tags["v1"] = lie

    async with opened(registry) as client:
        with pytest.raises(VerificationFailed, match="is not what its digest"):
            await client.image("v1")


async def test_tags_are_read_page_by_page(registry, opened):
    registry.page = 3
    for number in range(10):
        registry.artifact(LAYER, tag=f"v{number}")

    async with opened(registry) as client:
        assert list(await client.tags()) == [f"v{number}" for number in range(10)]

    assert len(registry.requests) == 4


async def test_list_of_tags_that_never_ends_is_given_up(registry, opened):
    registry.rule("tags/list", Answer(headers={"Link": '</v2/team/app/tags/list?last=a>; rel="next"'}, body=b"{}"))

    async with opened(registry) as client:
        with pytest.raises(Rejected, match="more than 5 pages"):
            await client.tags(pages=5)


@pytest.mark.parametrize("referrers", [True, False], ids=["by the API", "by the tag"])
async def test_referrers_are_found(registry, opened, referrers):
    registry.referrers = referrers
    subject = registry.artifact(LAYER, tag="v1")
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    signed = registry.artifact(b"sig", subject={"digest": subject}, artifactType=kind)
    other = registry.artifact(b"sbom", subject={"digest": subject}, artifactType="text/sbom")
    if not referrers:
        registry.index(
            (signed, {"artifactType": kind}), (other, {"artifactType": "text/sbom"}), tag=subject.replace(":", "-")
        )

    async with opened(registry) as client:
        assert [found.digest for found in await client.referrers(subject, kind)] == [signed]
        assert {found.digest for found in await client.referrers(subject)} == {signed, other}


async def test_artifact_without_referrers_has_none(registry, opened):
    registry.referrers = False

    async with opened(registry) as client:
        assert await client.referrers(registry.artifact(LAYER)) == ()


@pytest.mark.parametrize("login", ["basic", "bearer"])
async def test_login_is_given_when_it_is_asked_for_and_kept(registry, opened, ada, login, tmp_path):
    registry.login = login
    registry.artifact(LAYER, tag="v1")

    async with opened(registry, ada) as client:
        assert await saved(client, "v1", tmp_path) == LAYER
    registry.requests.clear()
    async with opened(registry, ada) as client:
        await client.head("v1")

    assert registry.paths == ["HEAD /v2/team/app/manifests/v1"]


async def test_token_is_renewed_before_it_expires(registry, opened, ada, ctx):
    registry.login = "bearer"
    registry.artifact(LAYER, tag="v1")
    async with opened(registry, ada) as client:
        await client.head("v1")
    ctx.now.pass_(registry.expires - 5)
    registry.token = "another"
    registry.requests.clear()

    async with opened(registry, ada) as client:
        await client.head("v1")

    assert [path.split("?")[0] for path in registry.paths] == [
        "HEAD /v2/team/app/manifests/v1",
        "GET /token",
        "HEAD /v2/team/app/manifests/v1",
    ]


async def test_token_that_is_refused_is_asked_for_again_once(registry, opened, ada):
    registry.login = "bearer"
    registry.artifact(LAYER, tag="v1")
    async with opened(registry, ada) as client:
        await client.head("v1")
    registry.token = "another"

    async with opened(registry, ada) as client:
        assert (await client.head("v1")).digest

    registry.rule("/token", Answer(body=b'{"token": "never good"}'))
    registry.token = "and another"
    async with opened(registry, ada) as client:
        with pytest.raises(Rejected, match="refused the login") as caught:
            await client.head("v1")
    assert caught.value.reason == "AuthenticationFailed"


async def test_logins_do_not_share_tokens(registry, opened, ada):
    registry.login = "bearer"
    registry.artifact(LAYER, tag="v1")
    async with opened(registry, ada) as client:
        await client.head("v1")

    async with opened(registry, Way(credential=Credential(username="eve", password="guessed"))) as client:
        with pytest.raises(Rejected, match="refused the login"):
            await client.head("v1")


async def test_identity_token_is_exchanged(registry, opened):
    registry.login = "bearer"
    registry.artifact(LAYER, tag="v1")
    registry.rule("POST /token", Answer(body=json.dumps({"access_token": registry.token}).encode()))

    async with opened(registry, Way(credential=Credential(identity="refresh"))) as client:
        assert (await client.head("v1")).digest


@pytest.mark.parametrize("login", ["basic", "bearer"])
async def test_missing_login_is_asked_for_by_name(registry, opened, login):
    registry.login = login

    async with opened(registry) as client:
        with pytest.raises(Rejected, match=r"asks for a login.*name one in spec.secretRef") as caught:
            await client.head("v1")

    assert caught.value.reason == "AuthenticationFailed"


@pytest.mark.parametrize("ref", ["nope", digest(b"nope")])
async def test_what_is_not_there_is_not_found(registry, opened, ref):
    async with opened(registry) as client:
        with pytest.raises(NotFound, match=r"manifests/.*: not found in the registry \(404"):
            await client.manifest(ref)


async def test_redirect_to_another_host_loses_the_login(registry, opened, ada, tmp_path):
    registry.login = "basic"
    name = registry.artifact(LAYER, tag="v1")
    with serving(Registry(), address="127.0.0.2") as elsewhere:
        elsewhere.rule("/bytes", Answer(body=LAYER))
        signed = "/bytes?sig=a%2Fb%2Bc~%7E"
        registry.rule("GET .*blobs/", Answer(status=307, headers={"Location": f"http://{elsewhere.host}{signed}"}))

        async with opened(registry, ada) as client:
            assert await saved(client, name, tmp_path) == LAYER

        assert [(request.path, request.authorization) for request in elsewhere.requests] == [(signed, "")]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (
            "http://169.254.169.254/latest/meta-data",
            "redirects to 169.254.169.254, an address of this machine's own link",
        ),
        ("http://[::ffff:169.254.169.254]/", "own link"),
        ("http://[fe80::1]/", "own link"),
        ("http://metadata.google.internal/", "own link"),
        ("file:///etc/passwd", "redirects to what is no http URL"),
        ("http://user:password@127.0.0.2/", "redirects to what is no http URL"),
        ("http://[x", "redirects to what is no URL"),
        ("http://127.0.0.1:99999/", "redirects to what is no URL"),
    ],
)
async def test_redirect_that_nobody_should_follow_is_refused(registry, opened, location, message):
    registry.rule("manifests", Answer(status=302, headers={"Location": location}))

    async with opened(registry) as client:
        with pytest.raises(Rejected, match=message):
            await client.manifest("v1")


async def test_redirects_end(registry, opened):
    registry.rule("manifests", Answer(status=302, headers={"Location": "/v2/team/app/manifests/v1"}))

    async with opened(registry) as client:
        with pytest.raises(Rejected, match="more than 10 redirects"):
            await client.manifest("v1")


async def test_token_service_at_a_metadata_address_is_never_asked(registry, opened, ada):
    said = 'Bearer realm="http://169.254.169.254/token",service="x"'
    registry.rule("manifests", Answer(status=401, headers={"WWW-Authenticate": said}))

    async with opened(registry, ada) as client:
        with pytest.raises(
            Rejected, match=r"sends for a token to 169.254.169.254, an address of this machine's own link"
        ):
            await client.manifest("v1")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", "asks for a login"),
        ("Negotiate", "asks for a login"),
        ('Bearer service="x"', "asks for a login"),
        ('Bearer realm="http://[x"', "sends for a token to what is no URL"),
        ('Bearer realm="ldap://host/x"', "sends for a token to what is no http URL"),
        ('Bearer realm="http://a..b/token"', "the connection broke|cannot be reached|not known"),
        ("Bearer " + "a" * 7000, "asks for a login"),
        ('Bearer realm="' * 400, "not found in the registry"),
    ],
)
async def test_demand_that_cannot_be_met_is_refused(registry, opened, said, message):
    registry.rule("manifests", Answer(status=401, headers={"WWW-Authenticate": said}))

    with pytest.raises((Rejected, Transient), match=message):
        async with opened(registry) as client:
            await client.head("v1")


@pytest.mark.parametrize("location", ["http://a..b/", "http://" + "a" * 70 + ".invalid/", "http://xn--a/"])
async def test_redirect_to_a_host_that_cannot_be_is_transient(registry, opened, location):
    registry.rule("manifests", Answer(status=302, headers={"Location": location}))

    with pytest.raises(Transient):
        async with opened(registry) as client:
            await client.manifest("v1")


@pytest.mark.parametrize("name", ["Content-Length", "Retry-After", "Link", "Content-Type", "Docker-Content-Digest"])
@pytest.mark.parametrize("value", ["\xb2", "9" * 5000, "<" * 5000, "-1", ""])
async def test_strange_headers_are_read_or_refused_and_nothing_else(registry, opened, name, value):
    registry.artifact(LAYER, tag="v1")
    status = 429 if name == "Retry-After" else 200
    registry.rule("HEAD", Answer(status=status, headers={"Docker-Content-Digest": digest(b"x"), name: value}))
    registry.rule("tags", Answer(headers={name: value} if name == "Link" else {}, body=b'{"tags": null}'))

    with contextlib.suppress(Rejected, Transient):
        async with opened(registry) as client:
            await client.head("v1")
    async with opened(registry) as client:
        with contextlib.suppress(Rejected, Transient):
            assert await client.tags() == []


async def test_link_of_a_page_to_another_host_loses_the_login(registry, opened, ada):
    registry.login = "basic"
    with serving(Registry(), address="127.0.0.2") as elsewhere:
        elsewhere.rule("/more", Answer(body=b'{"tags": ["z"]}'))
        link = Answer(headers={"Link": f'<http://{elsewhere.host}/more>; rel="next"'}, body=b'{"tags": ["a"]}')

        async with opened(registry, ada) as client:
            registry.rule("tags", link) if await client.tags() == [] else None
            assert await client.tags() == ["a", "z"]

        assert [request.authorization for request in elsewhere.requests] == [""]


async def test_whoever_asks_to_be_left_alone_is_by_everybody(registry, opened):
    registry.artifact(LAYER, tag="v1")
    registry.rule("manifests", Answer(status=429, headers={"Retry-After": "120"}), times=1)

    async with opened(registry) as client:
        with pytest.raises(Transient, match="answered 429") as caught:
            await client.head("v1")
    registry.requests.clear()
    async with opened(registry) as client:
        with pytest.raises(Transient, match=r"is left alone for 12[01] s: it asked for that") as later:
            await client.head("v2")

    assert caught.value.retry_after == 120
    assert later.value.retry_after > 119
    assert registry.requests == []


async def test_service_of_tokens_that_fails_is_left_alone_and_not_the_registry(registry, opened, ada):
    registry.artifact(LAYER, tag="v1")
    with serving(Registry(), address="127.0.0.2") as service:
        service.rule("token", Answer(status=503))
        said = f'Bearer realm="http://{service.host}/token",service="here"'
        registry.rule("manifests", Answer(status=401, headers={"WWW-Authenticate": said}))

        async with opened(registry, ada) as client:
            with pytest.raises(Transient, match="answered 503"):
                await client.head("v1")
        async with opened(registry, ada) as client:
            with pytest.raises(Transient, match=f"{service.host} is left alone"):
                await client.head("v1")

    assert len(service.requests) == 1
    assert registry.paths.count("HEAD /v2/team/app/manifests/v1") == 2


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_server_that_fails_is_asked_again_later(registry, opened, status):
    registry.rule("manifests", Answer(status=status, body=b"<html>\n" * 1000))

    async with opened(registry) as client:
        with pytest.raises(Transient, match=f"answered {status}; it is asked again later"):
            await client.head("v1")


async def test_words_of_the_registry_are_shown_on_one_line(registry, opened):
    said = json.dumps({"errors": [{"code": "DENIED", "message": "no\n\x1b[31mway" + "x" * 500}]}).encode()
    registry.rule("manifests", Answer(status=400, body=said))

    async with opened(registry) as client:
        with pytest.raises(Rejected) as caught:
            await client.manifest("v1")

    assert "answered 400, DENIED: no  [31mway" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


async def test_manifest_with_another_digest_is_refused(registry, opened):
    name = registry.artifact(LAYER, tag="v1")
    registry.rule("GET", Answer(headers={"Docker-Content-Digest": name}, body=b'{"mediaType": "x"}'))

    async with opened(registry) as client:
        for ref in ("v1", name):
            with pytest.raises(VerificationFailed, match="is not what its digest"):
                await client.manifest(ref)


async def test_head_that_answers_with_another_digest_is_refused(registry, opened):
    name = registry.artifact(LAYER)
    registry.rule("HEAD", Answer(headers={"Docker-Content-Digest": digest(b"other")}))

    async with opened(registry) as client:
        with pytest.raises(VerificationFailed, match="for the registry"):
            await client.head(name)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"x" * 100, "is no manifest"),
        (b"[]", "is no manifest"),
        (b"{}", "is of the type '', which is no OCI"),
        (b'{"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}', "which is no OCI or Docker v2"),
        (b"x" * (5 << 20), "answered with more than 4096 KiB"),
        (
            b'{"mediaType": "%s", "layers": [{"digest": "md5:a", "size": 1}]}' % INDEX.encode(),
            "without a digest and a size",
        ),
        (
            b'{"mediaType": "%s", "layers": [{"digest": "%s", "size": -1}]}' % (INDEX.encode(), b"sha256:" + b"a" * 64),
            "size",
        ),
        (b'{"mediaType": "%s", "annotations": {"a": 1}}' % INDEX.encode(), "is no manifest"),
    ],
)
async def test_what_is_no_manifest_is_refused(registry, opened, body, message):
    registry.rule("GET .*manifests", Answer(body=body))

    async with opened(registry) as client:
        with pytest.raises(Rejected, match=message):
            await client.manifest("v1")


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (LAYER + b"x", "has more than the .* bytes that its manifest says"),
        (LAYER[:-1], "has less than the .* bytes that its manifest says"),
        (b"x" + LAYER[1:], "is not what its digest says; nothing of it is used"),
    ],
    ids=["more", "less", "other"],
)
async def test_layer_that_is_not_what_the_manifest_says_is_refused(registry, opened, tmp_path, sent, message):
    registry.artifact(LAYER, tag="v1")
    registry.rule("GET .*blobs/", Answer(body=sent))

    async with opened(registry) as client:
        with pytest.raises(VerificationFailed, match=message):
            await saved(client, "v1", tmp_path)


async def test_layer_over_the_limit_is_not_asked_for(registry, opened, tmp_path):
    wanted = Descriptor(media_type="x", digest=digest(b"x"), size=10 << 20)

    async with opened(registry) as client:
        with pytest.raises(Rejected, match="has more than 1 MiB"):
            await client.save(wanted, tmp_path / "layer", limit=1 << 20)

    assert registry.requests == []


async def test_layer_is_never_whole_in_memory(registry, opened, tmp_path):
    size = 64 << 20
    registry.artifact(bytes(size), tag="v1")

    async with opened(registry) as client:
        found = await client.image("v1")
        tracemalloc.start()
        await client.save(found.layers[0], tmp_path / "layer")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (tmp_path / "layer").stat().st_size == size
    assert peak < 8 << 20


async def test_connection_that_breaks_in_a_layer_is_transient(registry, opened, tmp_path):
    registry.artifact(LAYER, tag="v1")
    registry.rule(
        "GET .*blobs/", Answer(headers={"Content-Length": str(len(LAYER)), "Connection": "close"}, body=LAYER[:9])
    )

    with pytest.raises(Transient, match=r"the connection broke|cannot be reached"):
        async with opened(registry) as client:
            await saved(client, "v1", tmp_path)


async def test_host_that_does_not_answer_is_transient(opened):
    nobody = Registry(host="127.0.0.2:9")

    with pytest.raises(Transient, match=r"^oci://127.0.0.2:9/team/app: cannot be reached"):
        async with opened(nobody) as client:
            await client.head("v1")


async def test_empty_config_counts_as_any_other_blob(registry, opened):
    registry.blob(b"{}", EMPTY)

    async with opened(registry) as client:
        assert await client.blob(Descriptor(media_type=EMPTY, digest=digest(b"{}"), size=2)) == b"{}"


async def test_registry_with_a_private_certificate_needs_its_ca(secure, opened, certificate):
    name = secure.artifact(LAYER, tag="v1")

    with pytest.raises(Rejected, match=r"put its CA into ca.crt of spec.certSecretRef"):
        async with opened(secure) as client:
            await client.head("v1")
    async with opened(secure, Way(tls=trusting(certificate))) as client:
        assert (await client.head("v1")).digest == name


async def test_insecure_takes_any_certificate(secure, opened):
    name = secure.artifact(LAYER, tag="v1")

    async with opened(secure, Way(insecure=True)) as client:
        assert (await client.head("v1")).digest == name


async def test_insecure_with_a_ca_still_checks_it(secure, opened, other_certificate):
    with pytest.raises(Rejected, match="not trusted"):
        async with opened(secure, Way(insecure=True, tls=trusting(other_certificate))) as client:
            await client.head("v1")


async def test_proxy_is_used(registry, opened, ctx):
    registry.artifact(LAYER, tag="v1")
    with serving(Registry(), address="127.0.0.3") as proxy:
        proxy.rule("", Answer(headers={"Docker-Content-Digest": digest(b"by proxy")}))

        ctx.http = Http(proxies=Proxies(http=f"http://{proxy.host}"))
        async with opened(registry) as client:
            found = await client.head("v1")

    assert found.digest == digest(b"by proxy")
    assert proxy.paths[-1] == f"HEAD http://{registry.host}/v2/team/app/manifests/v1"


def trusting(certificate):
    return Tls(ca=certificate[0].read_bytes())
