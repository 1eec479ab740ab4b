"""Who opens a bucket: the keys of its Secret in Flux's words, or an identity that a cloud lends. Secrets are read at each use.

A lent bearer token goes to the cloud's own hosts only; a signature (S3) is of no use to anybody but the host that it is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gitopsd.plugin import Context, Misconfigured
from gitopsd.plugin.cloud import Keys, Token, aws, azure, azure_certificate, gcp
from gitopsd.plugin.sources import access
from gitopsd.plugin.sources.access import Given
from gitopsd_plugins.bucket.place import Place

Options = dict[str, str | bool]

HOSTS: Mapping[str, str] = {
    "gcp": r"https://storage\.googleapis\.com",
    "azure": r"https://[a-z0-9.-]+\.blob\.(?:core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net|storage\.azure\.net)",
}
"""Where a token that a cloud lends may go to, as patterns of scheme and host."""
_SCOPE = "https://storage.azure.com/.default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """obstore's options; `token` where it takes one by a function only. `at` names the field for messages, '' for nobody's login.

    `lent` is what is kept of it, None for nothing.
    """

    options: Options = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    at: str = ""
    lent: object = field(default=None, repr=False)


async def of(place: Place, ctx: Context, timeout: float, hosts: Mapping[str, str] = HOSTS) -> Login:
    """The login for a bucket. Raises `NotReady` for a Secret or account that is missing, `Rejected`, `Transient`."""
    given = await access.given(place.secret, ctx)
    match place.provider:
        case "gcp":
            return await _google(place, given, ctx, timeout, hosts)
        case "azure":
            return await _azure(place, given, ctx, timeout, hosts)
    return await _s3(place, given, ctx, timeout)


async def _s3(place: Place, given: Given, ctx: Context, timeout: float) -> Login:
    if given.label:
        key, secret = given.text("accesskey").strip(), given.text("secretkey").strip()
        if not key or not secret:
            raise access.wrong(f"{given.label} needs the keys accesskey and secretkey")
        return Login(options={"access_key_id": key, "secret_access_key": secret}, at="spec.secretRef")
    if place.provider == "generic" and place.sts is None:
        return Login(options={"skip_signature": True})
    keys, at = await _lent_keys(place, ctx, timeout)
    options: Options = {"access_key_id": keys.access, "secret_access_key": keys.secret}
    if keys.token:
        options["token"] = keys.token
    return Login(options=options, at=at, lent=keys)


async def _lent_keys(place: Place, ctx: Context, timeout: float) -> tuple[Keys, str]:
    if place.sts is None:
        return await aws.keys(place.account, place.region, ctx, timeout), _field(place)
    trust = await access.given(place.sts.certificates, ctx, "spec.sts.certSecretRef")
    sts = aws.Sts(endpoint=place.sts.endpoint, tls=access.tls(trust) if trust.label else None)
    if place.provider == "aws":
        return await aws.keys(place.account, place.region, ctx, timeout, sts), _field(place)
    user = await access.given(place.sts.secret, ctx, "spec.sts.secretRef")
    name, password = user.text("username"), user.text("password")
    if not name or not password:
        raise access.wrong(f"{user.label or 'spec.sts.secretRef'} needs the keys username and password")
    return await aws.of_ldap(sts, name, password, ctx, timeout), "spec.sts.secretRef"


async def _google(place: Place, given: Given, ctx: Context, timeout: float, hosts: Mapping[str, str]) -> Login:
    if not given.label:
        _check_host(place, hosts)
        token = await gcp.token(place.account, gcp.SCOPES, ctx, timeout)
        return Login(token=token.value, at=_field(place), lent=token)
    text = given.text("serviceaccount")
    try:
        key = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise access.wrong(f"{given.label} needs the key serviceaccount, a service account as JSON") from error
    token = await gcp.of_key(key, f"{given.label}: the key serviceaccount", gcp.SCOPES, ctx, timeout)
    return Login(token=token.value, at="spec.secretRef", lent=token)


async def _azure(place: Place, given: Given, ctx: Context, timeout: float, hosts: Mapping[str, str]) -> Login:
    """As Flux chooses: a service principal, a managed identity, the account's key, a shared access signature."""
    if not given.label:
        _check_host(place, hosts)
        return _bearer(await azure.token(place.account, _SCOPE, ctx, timeout), _field(place))
    at = "spec.secretRef"
    if given.text("tenantId") and given.text("clientId"):
        return _bearer(await _principal(given, ctx, timeout), at)
    if given.text("clientId"):
        _check_host(place, hosts)
        return _bearer(await azure.of_machine(given.text("clientId").strip(), _SCOPE, ctx, timeout), at)
    if "accountKey" in given.data:
        return Login(options={"account_key": given.text("accountKey").strip()}, at=at)
    if "sasKey" in given.data:
        return Login(options={"sas_key": given.text("sasKey").strip().removeprefix("?")}, at=at)
    raise access.wrong(
        f"{given.label} needs accountKey, sasKey, clientId, or tenantId and clientId with clientSecret or clientCertificate (azure)"
    )


async def _principal(given: Given, ctx: Context, timeout: float) -> Token:
    names = ("tenantId", "clientId", "clientSecret", "authorityHost")
    client = azure.client({name: given.text(name).strip() for name in names}, given.label, ctx)
    if client.secret or "clientCertificate" not in given.data:
        return await azure.of_client(client, _SCOPE, ctx, timeout)
    certificate = azure_certificate.Certificate(
        content=given.data["clientCertificate"],
        password=given.text("clientCertificatePassword"),
        chain=given.text("clientCertificateSendChain").strip().lower() in {"1", "true"},
    )
    proof = azure_certificate.proof(client, certificate, ctx)
    return await azure.of_client(client, _SCOPE, ctx, timeout, proof)


def _bearer(token: Token, at: str) -> Login:
    return Login(options={"token": token.value}, at=at, lent=token)


def _field(place: Place) -> str:
    return "spec.serviceAccountName" if place.account else "spec.provider"


def _check_host(place: Place, hosts: Mapping[str, str]) -> None:
    parts = urlsplit(place.url)
    if not re.fullmatch(hosts[place.provider], f"{parts.scheme}://{parts.netloc}"):
        raise Misconfigured(
            f"{parts.netloc} is no host of spec.provider {place.provider}, so no token of its identities goes there; correct "
            "spec.endpoint, or name a login in spec.secretRef",
            reason=access.FAILED,
        )
