"""What opens a bucket: the keys of its Secrets, in Flux's words, as obstore's options. Read again at each use, kept nowhere.

Without a secret a generic bucket is asked without signature; at a cloud the identity of the machine is used, which its
metadata service tells.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gitopsd.plugin import Context
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given
from gitopsd_plugins.bucket.place import Place

Options = dict[str, str | bool]

AWS, GOOGLE, AZURE = "s3.amazonaws.com", "storage.googleapis.com", ".blob.core.windows.net"


async def store(place: Place, ctx: Context) -> tuple[Options, bool]:
    """The options of the store, and whether they hold credentials of the user's. Raises `Rejected` for a wrong Secret."""
    given = await access.given(place.secret, ctx)
    match place.provider:
        case "gcp":
            return {**_google(place), **_service_account(given)}, bool(given.label)
        case "azure":
            return {**_azure(place), **_azure_login(place, given)}, bool(given.label)
    return {**_s3(place), **_keys(place, given)}, bool(given.label)


async def client(place: Place, ctx: Context, timeout: float) -> Options:
    """The options of the connection. `timeout` in seconds for one request."""
    options: Options = {
        "allow_http": place.url.startswith("http://"),
        "connect_timeout": f"{int(min(timeout, 10.0) * 1000)}ms",
        "timeout": f"{int(timeout * 1000)}ms",
        "user_agent": ctx.http.user_agent,
    }
    if found := ctx.http.proxies.for_url(place.url):
        options["proxy_url"] = found
    tls = access.tls(await access.given(place.certificates, ctx, "spec.certSecretRef"))
    if tls.certificate:
        raise access.wrong("spec.certSecretRef: a client certificate (tls.crt) is not served for buckets; use keys")
    if tls.ca:
        options["root_certificate"] = tls.ca.decode("utf-8", "replace")
    return options


def _s3(place: Place) -> Options:
    region = place.region or "us-east-1"
    host = place.url.partition("://")[2]
    url = place.url.replace(AWS, f"s3.{region}.amazonaws.com") if host == AWS and place.region else place.url
    return {"endpoint": url, "region": region}


def _keys(place: Place, given: Given) -> Options:
    if not given.label:
        return {} if place.provider == "aws" else {"skip_signature": True}
    key, secret = given.text("accesskey").strip(), given.text("secretkey").strip()
    if not key or not secret:
        raise access.wrong(f"{given.label} needs the keys accesskey and secretkey")
    return {"access_key_id": key, "secret_access_key": secret}


def _google(place: Place) -> Options:
    return {} if place.url == f"https://{GOOGLE}" else {"base_url": place.url}


def _service_account(given: Given) -> Options:
    if not given.label:
        return {}
    key = given.text("serviceaccount")
    if not key.strip():
        raise access.wrong(f"{given.label} needs the key serviceaccount, a service account as JSON")
    return {"service_account_key": key}


def _azure(place: Place) -> Options:
    host = urlsplit(place.url).hostname or ""
    options: Options = {"account_name": host.partition(".")[0]}
    return options if place.url == f"https://{host}" and host.endswith(AZURE) else {**options, "endpoint": place.url}


def _azure_login(place: Place, given: Given) -> Options:
    """As Flux chooses: a service principal, a managed identity, the account's key, a shared access signature."""
    if not given.label:
        return {}
    tenant, identity, host = given.text("tenantId"), given.text("clientId"), given.text("authorityHost")
    at: Options = {"authority_host": host} if host else {}
    if tenant and identity and given.text("clientSecret"):
        return {**at, "tenant_id": tenant, "client_id": identity, "client_secret": given.text("clientSecret")}
    if tenant and identity and "clientCertificate" in given.data:
        raise access.wrong(f"{given.label}: clientCertificate is not served for buckets; use clientSecret")
    if identity:
        return {**at, "client_id": identity, "credential_type": "managed_identity"}
    if "accountKey" in given.data:
        return {"account_key": given.text("accountKey").strip()}
    if "sasKey" in given.data:
        return {"sas_key": given.text("sasKey").strip().removeprefix("?")}
    if host:
        return at
    raise access.wrong(
        f"{given.label} needs accountKey, sasKey, clientId, or tenantId with clientId and clientSecret ({place.provider})"
    )
