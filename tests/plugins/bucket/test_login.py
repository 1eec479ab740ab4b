"""Who opens a bucket: keys of a Secret, identities that clouds lend, token services; and what is told about the wrong ones."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fakes import clouds
from fakes.clouds import START, sts, sts_error

from gitopsd.plugin import Misconfigured, Rejected, SpecError
from gitopsd_plugins.bucket import login
from gitopsd_plugins.bucket.source import BucketSource

pytestmark = pytest.mark.asyncio

AZURE = {"provider": "azure", "endpoint": "https://account.blob.core.windows.net"}
GOOGLE = {"provider": "gcp", "endpoint": "storage.googleapis.com"}
AMAZON = {"provider": "aws", "endpoint": "s3.amazonaws.com", "region": "eu-west-1"}
TOKEN = {"access_token": "lent", "expires_in": 3600}
TENANT = "POST /t/oauth2/v2.0/token"


@pytest.fixture
def there(world, cloud, home):
    """A world whose clouds are on loopback, and whose accounts a cluster knows."""
    world.ctx = clouds.within(world.ctx, cloud, home)
    return world


async def opened(world, read, spec, **data):
    """The login of a Bucket whose Secret holds this, where it holds anything."""
    if data:
        world.secrets.data["keys"] = {key: v if isinstance(v, bytes) else v.encode() for key, v in data.items()}
        spec = {"secretRef": {"name": "keys"}, **spec}
    return await login.of(read(spec).spec, world.ctx, 5.0)


@pytest.mark.parametrize(
    ("spec", "data", "expected"),
    [
        ({}, {"accesskey": "a", "secretkey": "b\n"}, {"access_key_id": "a", "secret_access_key": "b"}),
        (AMAZON, {"accesskey": "a", "secretkey": "b"}, {"access_key_id": "a", "secret_access_key": "b"}),
        (AZURE, {"accountKey": "k\n"}, {"account_key": "k"}),
        (AZURE, {"sasKey": "?sv=1&sig=x"}, {"sas_key": "sv=1&sig=x"}),
    ],
)
async def test_keys_of_a_secret_are_used_as_they_are(there, cloud, read, spec, data, expected):
    found = await opened(there, read, spec, **data)

    assert (found.options, found.at, found.lent) == (expected, "spec.secretRef", None)
    assert cloud.asked == []


async def test_bucket_without_a_login_is_asked_without_a_signature(there, cloud, read):
    assert (await opened(there, read, {})).options == {"skip_signature": True}
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("spec", "data", "words"),
    [
        ({}, {"accesskey": "a"}, "needs the keys accesskey and secretkey"),
        (GOOGLE, {"key": "a"}, "needs the key serviceaccount"),
        (GOOGLE, {"serviceaccount": "[]"}, "needs the key serviceaccount"),
        (AZURE, {"key": "a"}, "needs accountKey, sasKey, clientId"),
        (AZURE, {"authorityHost": "https://login.example.org"}, "needs accountKey, sasKey, clientId"),
        (AZURE, {"tenantId": "t", "clientId": "c"}, "lacks the key clientSecret"),
        (AZURE, {"tenantId": "t", "clientId": "c", "clientCertificate": "x"}, "clientCertificate is no certificate"),
    ],
)
async def test_secret_without_what_is_needed_is_named(there, read, spec, data, words):
    with pytest.raises(Rejected, match=r"spec.secretRef: the secret flux-system/keys") as caught:
        await opened(there, read, spec, **data)

    assert words in str(caught.value)
    assert caught.value.reason == "AuthenticationFailed"


async def test_service_principal_gets_a_token_for_storage(there, cloud, read):
    cloud.replies[TENANT] = TOKEN
    data = {"tenantId": "t", "clientId": "c", "clientSecret": "s", "authorityHost": f"{cloud.url}/"}

    found = await opened(there, read, AZURE, **data)

    assert found.options == {"token": "lent"}
    assert cloud.asked[0].form["client_secret"] == "s"
    assert cloud.asked[0].form["scope"] == "https://storage.azure.com/.default"
    assert "lent" not in repr(found)


@pytest.mark.parametrize("password", ["", "hush"])
async def test_certificate_proves_a_service_principal(there, cloud, read, password, tmp_path):
    cloud.replies[TENANT] = TOKEN
    pem, verify = certificate(password)
    data = {"tenantId": "t", "clientId": "c", "clientCertificate": pem, "clientCertificatePassword": password}

    await opened(there, read, AZURE, **data)

    form = cloud.asked[0].form
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    head, claims = verify(form["client_assertion"])
    assert head["alg"] == "RS256"
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("c", "c", f"{cloud.url}/t/oauth2/v2.0/token")
    assert claims["exp"] == START.timestamp() + 600


async def test_managed_identity_is_chosen_by_its_client(there, cloud, read):
    cloud.replies["GET /metadata/identity/oauth2/token"] = TOKEN

    assert (await opened(there, read, AZURE, clientId="c")).options == {"token": "lent"}
    assert "client_id=c" in cloud.asked[0].path


async def test_process_lends_its_identity_to_a_bucket_without_a_secret(there, cloud, read):
    cloud.replies["GET /metadata/identity/oauth2/token"] = TOKEN
    cloud.replies["GET /computeMetadata"] = TOKEN

    azure, google = await opened(there, read, AZURE), await opened(there, read, GOOGLE)

    assert (azure.options, azure.at) == ({"token": "lent"}, "spec.provider")
    assert (google.token, google.options, google.at) == ("lent", {}, "spec.provider")


async def test_service_account_opens_a_bucket_of_amazon(there, cloud, home, read):
    home.annotations["flux-system", "robot"] = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"}
    cloud.replies["POST /"] = sts("AssumeRoleWithWebIdentity")

    found = await opened(there, read, {**AMAZON, "serviceAccountName": "robot"})

    assert found.options == {"access_key_id": "AKIA", "secret_access_key": "s3cret", "token": "session"}
    assert found.at == "spec.serviceAccountName"
    assert cloud.asked[0].form["RoleSessionName"] == "robot.flux-system.eu-west-1.gitopsd"


async def test_service_account_opens_a_bucket_of_google(there, cloud, home, read):
    provider = "projects/1/locations/global/workloadIdentityPools/p/providers/c"
    home.annotations["flux-system", "robot"] = {"gcp.auth.fluxcd.io/workload-identity-provider": provider}
    cloud.replies["POST /v1/token"] = TOKEN

    assert (await opened(there, read, {**GOOGLE, "serviceAccountName": "robot"})).token == "lent"


async def test_service_account_opens_a_bucket_of_azure(there, cloud, home, read):
    home.annotations["flux-system", "robot"] = {
        "azure.workload.identity/client-id": "c",
        "azure.workload.identity/tenant-id": "t",
    }
    cloud.replies[TENANT] = TOKEN

    assert (await opened(there, read, {**AZURE, "serviceAccountName": "robot"})).options == {"token": "lent"}


async def test_key_of_a_service_account_signs_for_a_token(there, cloud, read):
    cloud.replies["POST /token"] = TOKEN
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "client_email": "a@b.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": f"{cloud.url}/token",
    }

    assert (await opened(there, read, GOOGLE, serviceaccount=json.dumps(account))).token == "lent"


@pytest.mark.parametrize(
    "spec",
    [
        {"provider": "gcp", "endpoint": "gcs.example.org"},
        {"provider": "gcp", "endpoint": "storage.googleapis.com.example.org"},
        {"provider": "gcp", "endpoint": "http://storage.googleapis.com", "insecure": True},
        {"provider": "azure", "endpoint": "https://account.blob.core.windows.net.example.org"},
        {"provider": "azure", "endpoint": "https://account.blob.core.windows.net:8443"},
    ],
)
@pytest.mark.parametrize("account", ["", "robot"])
async def test_token_goes_to_the_clouds_own_hosts_only(there, cloud, read, spec, account):
    with pytest.raises(Misconfigured, match="so no token of its identities goes there"):
        await opened(there, read, {**spec, **({"serviceAccountName": account} if account else {})})

    assert cloud.asked == []


LDAP = {"sts": {"provider": "ldap", "endpoint": "", "secretRef": {"name": "user"}}, "insecure": True}


async def test_user_of_a_directory_is_lent_keys(there, cloud, read):
    there.secrets.data["user"] = {"username": b"ada", "password": b"hush"}
    cloud.replies["POST /"] = sts("AssumeRoleWithLDAPIdentity", access="LDAP")

    found = await opened(there, read, _ldap(cloud))

    assert found.options == {"access_key_id": "LDAP", "secret_access_key": "s3cret", "token": "session"}
    assert found.at == "spec.sts.secretRef"
    assert cloud.asked[0].form == {
        "Action": "AssumeRoleWithLDAPIdentity",
        "Version": "2011-06-15",
        "LDAPUsername": "ada",
        "LDAPPassword": "hush",
    }


async def test_user_that_the_directory_refuses_is_told(there, cloud, read):
    there.secrets.data["user"] = {"username": b"ada", "password": b"hush"}
    cloud.replies["POST /"] = sts_error("InvalidParameterValue", "LDAP server error: Invalid credentials")

    with pytest.raises(Rejected, match="for ada answered 400: LDAP server error: Invalid credentials; check") as caught:
        await opened(there, read, _ldap(cloud))

    assert "hush" not in str(caught.value)


async def test_directory_needs_a_name_and_a_password(there, cloud, read):
    there.secrets.data["user"] = {"username": b"ada"}

    with pytest.raises(
        Rejected, match=r"spec.sts.secretRef: the secret flux-system/user needs the keys username and password"
    ):
        await opened(there, read, _ldap(cloud))


def _ldap(cloud):
    return {**LDAP, "sts": {**LDAP["sts"], "endpoint": cloud.url}}


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"sts": {"provider": "aws", "endpoint": "x"}}, "provider", "ldap for generic"),
        (
            {**AMAZON, "sts": {"provider": "aws", "endpoint": "https://sts.example.org"}},
            "endpoint",
            "must be https://sts.",
        ),
        (
            {**AMAZON, "sts": {"provider": "aws", "endpoint": "http://sts.amazonaws.com"}},
            "endpoint",
            "must be https://sts.",
        ),
        (
            {**AMAZON, "sts": {"provider": "aws", "endpoint": "https://sts.amazonaws.com", "secretRef": {"name": "x"}}},
            "secretRef",
            "for the provider ldap only",
        ),
        ({"sts": {"provider": "ldap", "endpoint": "https://minio.example.org"}}, "secretRef", "is needed"),
        (
            {"sts": {"provider": "ldap", "endpoint": "http://minio.example.org", "secretRef": {"name": "x"}}},
            "endpoint",
            "http:// needs spec.insecure",
        ),
    ],
)
async def test_token_service_that_cannot_be_used_is_named(read, spec, field, words):
    with pytest.raises(SpecError) as caught:
        read(spec)

    assert caught.value.path == ("spec", "sts", field)
    assert words in str(caught.value)
    assert caught.value.reason == "InvalidSTSConfiguration"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://sts.amazonaws.com",
        "https://sts.eu-west-1.amazonaws.com",
        "https://sts-fips.us-gov-west-1.amazonaws.com",
        "https://vpce-0123-abc.sts.us-east-1.vpce.amazonaws.com",
    ],
)
async def test_token_service_of_amazon_is_taken(read, endpoint):
    assert read({**AMAZON, "sts": {"provider": "aws", "endpoint": endpoint}}).spec.sts.endpoint == endpoint


async def test_keys_that_the_bucket_refuses_are_asked_for_anew(there, cloud, read):
    """The store and the token service in one, as MinIO is."""
    there.secrets.data["user"] = {"username": b"ada", "password": b"hush"}
    cloud.replies |= {
        "POST /": sts("AssumeRoleWithLDAPIdentity"),
        "GET /apps": web.Response(status=403, text="<Error><Code>InvalidAccessKeyId</Code></Error>"),
    }
    intent = read({**_ldap(cloud), "endpoint": cloud.host})

    for _ in range(2):
        with pytest.raises(
            Rejected, match=r"refused the credentials \(403 InvalidAccessKeyId\); check spec.sts.secretRef"
        ):
            await BucketSource().resolve(intent, there.ctx)

    assert [asked.method for asked in cloud.asked] == ["POST", "GET", "POST", "GET"]


@pytest.mark.parametrize(
    ("provider", "reply"),
    [
        (
            "gcp",
            '<?xml version="1.0"?><ListBucketResult><Name>apps</Name><IsTruncated>false</IsTruncated></ListBucketResult>',
        ),
        ("azure", '<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>'),
    ],
)
async def test_token_is_sent_to_the_store(there, cloud, read, provider, reply):
    cloud.replies |= {
        "GET /metadata/identity/oauth2/token": TOKEN,
        "GET /computeMetadata": TOKEN,
        "GET /apps": reply,
    }
    source = BucketSource({provider: r"http://127\.0\.0\.1:[0-9]+"})

    await source.resolve(read({"provider": provider, "endpoint": cloud.host, "insecure": True}), there.ctx)

    assert cloud.asked[-1].headers["authorization"] == "Bearer lent"


def certificate(password):
    """One in PEM form with its key, and what checks a statement signed with it."""
    import base64

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    how = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how
    )

    def plain(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def verify(statement):
        head, claims, signature = statement.split(".")
        key.public_key().verify(plain(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        said = json.loads(plain(head))
        assert said["x5t"] == base64.urlsafe_b64encode(made.fingerprint(hashes.SHA1())).decode().rstrip("=")
        return said, json.loads(plain(claims))

    return pem, verify
