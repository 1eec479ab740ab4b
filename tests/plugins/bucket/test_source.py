"""The Bucket source on a real S3 server."""

from __future__ import annotations

import hashlib
import itertools
import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fakes.certificate import self_signed
from fakes.clouds import Home
from fakes.forward_proxy import forward_proxy
from fakes.web_server import Site, web_server

from gitopsd.plugin import Http, NotReady, Rejected, Revision, Transient
from gitopsd.plugin.egress import Egress
from gitopsd_plugins.bucket import order
from gitopsd_plugins.bucket.order import Limits, Order
from gitopsd_plugins.bucket.source import BucketSource

pytestmark = pytest.mark.asyncio
FILES = {
    "apps/web.yaml": b"kind: Deployment\n",
    "apps/db/x y.yaml": b"a: 1\r\n",
    "apps-old/z.yaml": b"",
    "top.txt": b"1",
}


async def test_revision_is_the_one_that_flux_gives(world, bucket):
    bucket.put({"b.yaml": b"2", "a/c.yaml": b"1"})

    revision = await BucketSource().resolve(bucket.intent(), world.ctx)

    lines = "".join(
        f"{name} {hashlib.md5(data).hexdigest()}\n" for name, data in (("a/c.yaml", b"1"), ("b.yaml", b"2"))
    )
    assert revision == Revision(digest="sha256:" + hashlib.sha256(lines.encode()).hexdigest())


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("apps/", {"apps/web.yaml", "apps/db/x y.yaml"}),
        ("apps", {"apps/web.yaml", "apps/db/x y.yaml", "apps-old/z.yaml"}),
        ("apps/d", {"apps/db/x y.yaml"}),
        ("nothing/", set()),
    ],
)
async def test_prefix_is_the_beginning_of_names_and_stays_in_the_paths(world, bucket, prefix, names):
    bucket.put(FILES)

    _, stored = await world.sync(BucketSource(), bucket.intent(prefix=prefix))

    assert set(world.files(stored.tree)) == names


@pytest.mark.parametrize("prefix", ["", "apps/"])
async def test_ignore_file_of_the_root_and_of_the_spec_are_honoured_and_pictures_are_kept(world, bucket, prefix):
    bucket.put({**FILES, "apps/logo.png": b"png", ".sourceignore": b"*.txt\n/apps/db\n"})

    _, stored = await world.sync(BucketSource(), bucket.intent(prefix=prefix, ignore="z.yaml"))

    assert set(world.files(stored.tree)) == {"apps/web.yaml", "apps/logo.png"}


async def test_marks_of_folders_are_no_files(world, bucket):
    bucket.put({"full/": b"", "full/a.yaml": b"1", "empty/": b"", "truly-empty": b""})

    _, stored = await world.sync(BucketSource(), bucket.intent())

    assert world.files(stored.tree) == {"full/a.yaml": b"1", "truly-empty": b""}


async def test_ignored_objects_are_not_part_of_the_revision(world, bucket):
    bucket.put(FILES)
    intent = bucket.intent(ignore="*.txt")
    first = await BucketSource().resolve(intent, world.ctx)

    bucket.put({"top.txt": b"2"})

    assert await BucketSource().resolve(intent, world.ctx) == first


async def test_object_of_another_bucket_object_is_not_believed_by_its_etag(world, bucket):
    bucket.put(FILES)
    await world.sync(BucketSource(), bucket.intent())
    world.intake.added.clear()
    intent = bucket.intent()

    await world.sync(BucketSource(), replace(intent, ref=replace(intent.ref, namespace="tenant")))

    assert len(world.intake.added) == len(FILES)


@pytest.mark.parametrize("name", ["../outside.yaml", "a/../../b.yaml", "a//b.yaml", "a/./b.yaml"])
async def test_name_that_is_no_path_is_refused(world, bucket, name):
    bucket.put({"fine.yaml": b"1", name: b"2"})

    with pytest.raises(Rejected, match="a name that can be no path") as caught:
        await world.sync(BucketSource(), bucket.intent())

    assert name in str(caught.value)


async def test_object_and_folder_of_one_name_are_refused(world, bucket):
    bucket.put({"a": b"1", "a/b": b"2"})

    with pytest.raises(Rejected, match="a: an object and a folder of one name"):
        await world.sync(BucketSource(), bucket.intent())


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(objects=3), r"^bucket .* at http://.*: more than 3 objects; narrow spec\.prefix$"),
        (Limits(file=8), "apps/web.yaml: more than 0 MiB"),
        (Limits(total=16), "more than 0 MiB of objects"),
    ],
)
async def test_limits_hold_before_anything_is_read(world, bucket, monkeypatch, limits, words):
    bucket.put(FILES)
    source = BucketSource()
    whole, _ = await source._order(bucket.intent(), world.ctx, "")
    given = replace(whole, limits=limits)

    with pytest.raises(Rejected, match=words):
        await world.work.run("gitopsd_plugins.bucket.job:fetch", order.encode(given), timeout=60)

    assert world.intake.added == []


async def test_disk_that_takes_nothing_is_told(world, bucket, tmp_path):
    bucket.put({"large.yaml": bytes(100_000)})
    revision = await BucketSource().resolve(bucket.intent(), world.ctx)
    whole, _ = await BucketSource()._order(bucket.intent(), world.ctx, revision.digest)
    given = replace(whole, spool=str(tmp_path / "gone"))

    with pytest.raises(Transient, match="gone cannot be written: No such file or directory"):
        await world.work.run("gitopsd_plugins.bucket.job:fetch", order.encode(given), timeout=60)


async def test_object_that_changes_between_the_looks_is_told(world, bucket):
    bucket.put(FILES)
    source = BucketSource()
    revision = await source.resolve(bucket.intent(), world.ctx)
    bucket.put({"top.txt": b"2"})

    with pytest.raises(Transient, match="changed while it was read"):
        await source.fetch(bucket.intent(), revision, None, world.ctx)


async def test_refused_key_names_the_secret_and_no_key(world, bucket):
    bucket.put(FILES)
    key, secret = bucket.s3.user(bucket.name)
    world.secrets.data["keys"] = {"accesskey": key.encode(), "secretkey": b"not-" + secret.encode()}

    with bucket.s3.guarded(), pytest.raises(Rejected) as caught:
        await BucketSource().resolve(bucket.intent(), world.ctx)

    message = f'Bucket/flux-system/app: bucket "{bucket.name}" at {bucket.s3.url} refused the credentials (403'
    assert str(caught.value).startswith(message)
    assert caught.value.reason == "AuthenticationFailed"
    assert secret not in str(caught.value)
    assert key not in str(caught.value)


async def test_right_key_opens_the_bucket(world, bucket):
    bucket.put(FILES)
    key, secret = bucket.s3.user(bucket.name)
    world.secrets.data["keys"] = {"accesskey": key.encode(), "secretkey": secret.encode()}

    with bucket.s3.guarded():
        _, stored = await world.sync(BucketSource(), bucket.intent())

    assert world.files(stored.tree) == FILES


@pytest.mark.parametrize("role", ["its own", "another"])
async def test_role_of_a_service_account_opens_the_bucket(world, bucket, role):
    """The server lends keys for the role, and then checks the signature and what the role may do."""
    bucket.put(FILES)
    home = Home()
    arn = bucket.s3.role(bucket.name if role == "its own" else f"not-{bucket.name}")
    home.annotations["flux-system", "robot"] = {"eks.amazonaws.com/role-arn": arn}
    ctx = replace(
        world.ctx,
        issue=home.issue,
        account=home.account,
        platform={"AWS_ENDPOINT_URL_STS": bucket.s3.url},
        now=lambda: datetime.now(UTC),  # the server's keys end by the clock
    )
    given = {"provider": "aws", "region": "us-east-1", "serviceAccountName": "robot", "secretRef": None}
    intent = bucket.intent(**given)
    await BucketSource().resolve(intent, ctx)

    with bucket.s3.guarded():
        if role == "its own":
            assert (await BucketSource().resolve(intent, ctx)).digest
        else:
            with pytest.raises(Rejected, match=r"refused the credentials \(403.*check spec.serviceAccountName"):
                await BucketSource().resolve(intent, ctx)


async def test_bucket_without_a_secret_is_asked_without_signature(world, bucket):
    bucket.put(FILES)

    with pytest.raises(Rejected, match=r"asks for credentials \(403.*check spec.secretRef"):
        await world.sync(BucketSource(), bucket.intent(secretRef=None))


async def test_missing_bucket_is_told(world, bucket):
    with pytest.raises(Rejected, match=r'bucket "no-such-bucket" at .* not found \(404 NoSuchBucket\)'):
        await BucketSource().resolve(bucket.intent(bucketName="no-such-bucket"), world.ctx)


async def test_silent_server_is_told_before_the_time_is_up(world, bucket):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Transient, match=r"did not answer within 0.4 s; see spec.timeout"):
            await BucketSource().resolve(bucket.intent(endpoint=endpoint, timeout="500ms"), world.ctx)


async def test_missing_secret_is_waited_for(world, bucket):
    with pytest.raises(NotReady, match=r"^Bucket/flux-system/app: Secret/flux-system/nothing not found"):
        await BucketSource().resolve(bucket.intent(secretRef={"name": "nothing"}), world.ctx)


async def test_order_never_shows_its_credentials(world, bucket):
    given, _ = await BucketSource()._order(bucket.intent(), world.ctx, "")

    assert isinstance(given, Order)
    assert "hush-hush" not in repr(given)


EMPTY = b'<?xml version="1.0"?><ListBucketResult><Name>tls</Name><IsTruncated>false</IsTruncated></ListBucketResult>'


async def test_private_ca_is_trusted_where_it_is_named_and_only_there(world, read, tmp_path):
    tls = self_signed(tmp_path / "tls", ca=False)
    with web_server(Site(files={"/tls": EMPTY}), tls) as site:
        spec = {"bucketName": "tls", "endpoint": site.url.removeprefix("https://")}
        world.secrets.data["ca"] = {"ca.crt": tls[0].read_bytes()}

        trusted = await BucketSource().resolve(read({**spec, "certSecretRef": {"name": "ca"}}), world.ctx)
        with pytest.raises(Rejected, match=r"is not trusted; put its CA as ca.crt into spec.certSecretRef"):
            await BucketSource().resolve(read(spec), world.ctx)

    assert trusted.digest == "sha256:" + hashlib.sha256(b"").hexdigest()


async def test_ca_that_cannot_be_read_is_told(world, read):
    world.secrets.data["ca"] = {"ca.crt": b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"}

    with pytest.raises(Rejected, match=r"the CA certificates cannot be read; check spec.certSecretRef"):
        await BucketSource().resolve(read({"certSecretRef": {"name": "ca"}}), world.ctx)


async def test_proxy_of_the_secret_is_the_way(world, read):
    with web_server() as proxy:
        world.secrets.data["proxy"] = {"address": proxy.url.encode(), "username": b"ada", "password": b"hush"}
        spec = {"insecure": True, "endpoint": "minio.example.org", "proxySecretRef": {"name": "proxy"}}
        with pytest.raises(Rejected, match=r"not found \(404\)"):
            await BucketSource().resolve(read(spec), world.ctx)

    assert proxy.paths() == ["/apps"]


async def test_private_address_is_refused_where_the_setting_says_so(world, bucket):
    ctx = replace(world.ctx, http=Http(egress=Egress(private=False)))

    with pytest.raises(Rejected, match=r"network.privateAddresses forbids"):
        await BucketSource().resolve(bucket.intent(), ctx)


LISTING = b"""<?xml version="1.0"?><ListBucketResult><Name>apps</Name><IsTruncated>false</IsTruncated><Contents>
<Key>a</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"1"</ETag><Size>1</Size></Contents></ListBucketResult>"""


async def test_name_that_means_another_address_when_the_library_looks_leads_nowhere(world, read, monkeypatch):
    """`localhost` is what the library finds; the answers of the name server before that are within bounds."""
    files = {"/apps": LISTING, "/apps/a": b"x"}
    with web_server(Site(files=files)) as out_of_bounds:
        port = int(out_of_bounds.url.rpartition(":")[2])
        with web_server(Site(files=files), address="127.0.0.2", port=port) as within:
            answers = itertools.chain(["127.0.0.2"], itertools.repeat("127.0.0.1"))

            def flipping(host, asked, *arguments, **options):
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), asked))]

            monkeypatch.setattr(socket, "getaddrinfo", flipping)
            ctx = replace(world.ctx, http=Http(egress=Egress(private=False, allowed=("127.0.0.2/32",))))
            intent = read({"endpoint": f"localhost:{port}", "insecure": True})

            revision = await BucketSource().resolve(intent, ctx)
            with pytest.raises(Rejected, match=r"127\.0\.0\.1 is no public address.*network\.privateAddresses forbids"):
                await BucketSource().fetch(intent, revision, None, ctx)

    assert within.paths() == ["/apps"]
    assert out_of_bounds.asked == []


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (b"http://localhost:3128", "127.0.0.1 is no public address"),
        (b"socks5://localhost:1080", "127.0.0.1 is no public address"),
        (b"https://proxy.example.org", "an https:// proxy is no way"),
    ],
)
async def test_proxy_of_a_secret_is_within_bounds_too(world, read, address, message):
    world.secrets.data["proxy"] = {"address": address}
    ctx = replace(world.ctx, http=Http(egress=Egress(private=False)))

    with pytest.raises(Rejected, match=message):
        await BucketSource().resolve(read({"proxySecretRef": {"name": "proxy"}}), ctx)


async def test_socks_proxy_is_a_way_to_a_bucket(world, read):
    files = {"/apps": LISTING, "/apps/a": b"x"}
    with web_server(Site(files=files)) as site, forward_proxy("socks5") as proxy:
        world.secrets.data["proxy"] = {"address": proxy.url.encode()}
        spec = {"endpoint": site.url.removeprefix("http://"), "insecure": True, "proxySecretRef": {"name": "proxy"}}

        _, stored = await world.sync(BucketSource(), read(spec))

    assert world.files(stored.tree) == {"a": b"x"}
    assert set(proxy.asked) == {site.url.removeprefix("http://")}


async def test_http_proxy_with_a_login_is_a_way_to_a_bucket(world, read):
    files = {"/apps": LISTING, "/apps/a": b"x"}
    with web_server(Site(files=files)) as site, forward_proxy("http", "ada:hush") as proxy:
        proxy.names["minio.example.org"] = ("127.0.0.1", int(site.url.rpartition(":")[2]))
        world.secrets.data["proxy"] = {"address": proxy.url.encode(), "username": b"ada", "password": b"hush"}
        spec = {"endpoint": "minio.example.org", "insecure": True, "proxySecretRef": {"name": "proxy"}}

        _, stored = await world.sync(BucketSource(), read(spec))

    assert world.files(stored.tree) == {"a": b"x"}


async def test_https_proxy_is_a_way_to_a_bucket(world, read, tmp_path):
    """And no way around the gate: what the endpoint answers leads nowhere else."""
    tls, size = self_signed(tmp_path / "tls", ca=False), 1_000_000
    files = {"/apps": LISTING.replace(b"<Size>1<", b"<Size>%d<" % size), "/apps/a": b"x" * size}
    world.ctx = replace(world.ctx, http=Http(ca_file=str(tls[0])))
    with web_server(Site(files=files)) as site, forward_proxy("https", "ada:hush", tls) as proxy:
        world.secrets.data["proxy"] = {"address": proxy.url.encode(), "username": b"ada", "password": b"hush"}
        intent = read({"endpoint": site.url, "insecure": True, "proxySecretRef": {"name": "proxy"}})

        _, stored = await world.sync(BucketSource(), intent)
        site.redirects["/apps"] = "http://169.254.169.254/latest"
        with pytest.raises(Rejected, match=r"leads to 169\.254\.169\.254"):
            await BucketSource().resolve(intent, world.ctx)

    assert world.files(stored.tree) == {"a": files["/apps/a"]}
    assert set(proxy.asked) == {site.url.partition("://")[2]}


@pytest.mark.parametrize("path", ["/apps", "/apps/a"])
async def test_endpoint_that_sends_on_to_another_host_is_not_followed(world, read, path):
    with web_server(Site(files={"/x": LISTING})) as other:
        site = Site(files={"/apps": LISTING, "/apps/a": b"x"}, redirects={path: f"{other.url}/x"})
        with web_server(site), pytest.raises(Rejected, match=r"leads to 127\.0\.0\.1, another host than") as caught:
            await world.sync(BucketSource(), read({"endpoint": site.url.removeprefix("http://"), "insecure": True}))

    assert "check spec.endpoint and spec.region" in str(caught.value)
    assert other.asked == []


async def test_plans_may_ask_for_a_local_folder_under_the_buckets_rules(world, read, tmp_path):
    work = tmp_path / "work"
    files = {
        "apps/a.yaml": b"a",
        "apps/b.md": b"",
        "apps/deep/c.yaml": b"c",
        "other.yaml": b"",
        ".sourceignore": b"*.md",
    }
    for path, data in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(data)
    (work / "apps" / "link").symlink_to("/etc/passwd")

    stored = await BucketSource().folder(read({"prefix": "apps/", "ignore": "deep"}), work, world.ctx)

    assert world.files(stored.tree) == {"apps/a.yaml": b"a"}
