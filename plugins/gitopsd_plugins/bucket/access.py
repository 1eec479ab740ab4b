"""The way to a bucket as obstore's options: where it is, and how it is connected to. Secrets are read again at each use."""

from __future__ import annotations

from urllib.parse import urlsplit

from gitopsd.plugin import Context
from gitopsd.plugin.sources import access
from gitopsd_plugins.bucket.login import Options
from gitopsd_plugins.bucket.place import Place

AWS, GOOGLE, AZURE = "s3.amazonaws.com", "storage.googleapis.com", ".blob.core.windows.net"


def store(place: Place) -> Options:
    """Where the store is, as its options."""
    match place.provider:
        case "gcp":
            return {} if place.url == f"https://{GOOGLE}" else {"base_url": place.url}
        case "azure":
            return _azure(place)
    return _s3(place)


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


def _azure(place: Place) -> Options:
    host = urlsplit(place.url).hostname or ""
    options: Options = {"account_name": host.partition(".")[0]}
    return options if place.url == f"https://{host}" and host.endswith(AZURE) else {**options, "endpoint": place.url}
