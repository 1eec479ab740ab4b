"""The secret values of a configuration: which Secret they make, and the mistakes that people make with base64. Pure.

Values are decoded once and coded once again; none of them is ever part of a message.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.plugin.imports import Note
from gitopsd_plugins.aks import schema
from gitopsd_plugins.aks.resource import InputError

_BLOB = {
    "tenantId": "tenantId",
    "clientId": "clientId",
    "clientSecret": "clientSecret",
    "clientCertificate": "clientCertificate",
    "clientCertificatePassword": "clientCertificatePassword",
}


@dataclass(slots=True)
class Secrets:
    """The Secret of the source and the one of all other protected settings, while they are collected."""

    place: str
    auth: dict[str, bytes] = field(default_factory=dict)
    certificate: dict[str, bytes] = field(default_factory=dict)
    other: dict[str, bytes] = field(default_factory=dict)
    verification: dict[str, bytes] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def of(properties: Mapping[str, Any], place: str) -> Secrets:
    """Everything secret of normal properties. Raises `InputError` for what cannot be base64, or signs in twice."""
    found = Secrets(place)
    protected: Mapping[str, str] = properties.get("configurationProtectedSettings") or {}
    for key, value in protected.items():
        if key not in schema.PROTECTED:
            found.other[key] = _decoded(value, f"configurationProtectedSettings.{key}", found)
    match properties.get("sourceKind"):
        case "Bucket":
            _bucket(properties.get("bucket") or {}, protected, found)
        case "AzureBlob":
            _blob(properties.get("azureBlob") or {}, found)
        case "OCIRepository":
            _oci(properties.get("ociRepository") or {}, found)
        case _:
            _git(properties.get("gitRepository") or {}, protected, found)
    return found


def _git(block: Mapping[str, Any], protected: Mapping[str, str], found: Secrets) -> None:
    is_http = str(block.get("url", "")).startswith(("http://", "https://"))
    key, user, password = protected.get("sshPrivateKey"), block.get("httpsUser"), protected.get("httpsKey")
    known_hosts, authority = block.get("sshKnownHosts"), block.get("httpsCACert") or block.get("httpsCAFile")
    if key and is_http:
        raise InputError(
            f"{found.place}: an SSH key next to an https url signs in nowhere; use an ssh:// url or httpsKey"
        )
    if (user or password) and not is_http:
        raise InputError(f"{found.place}: httpsUser and httpsKey need an https url; use sshPrivateKey with an ssh url")
    if bool(user) != bool(password) and not block.get("localAuthRef"):
        given, missing = ("httpsUser", "httpsKey") if user else ("httpsKey", "httpsUser")
        text = f"{found.place}: {given} comes without {missing}; the Secret that is made needs both"
        found.notes.append(Note(text=text, lost=True))
    if key:
        found.auth["identity"] = _pem(_decoded(key, "sshPrivateKey", found), found)
    if key and not known_hosts:
        text = f"{found.place}: sshKnownHosts is absent; the extension knows the common hosts, gitopsd trusts none unseen: "
        found.notes.append(Note(text=f"{text}add known_hosts to the Secret", lost=True))
    if known_hosts:
        found.auth["known_hosts"] = _lines(known_hosts, found)
    if user:
        found.auth["username"] = user.encode()
    if password:
        found.auth["password"] = _decoded(password, "httpsKey", found)
    if authority:
        found.auth["ca.crt"] = _decoded(authority, "httpsCACert", found)


def _bucket(block: Mapping[str, Any], protected: Mapping[str, str], found: Secrets) -> None:
    access, secret = block.get("accessKey"), protected.get("bucketSecretKey")
    if access:
        found.auth["accesskey"] = access.encode()
    if secret:
        found.auth["secretkey"] = _decoded(secret, "bucketSecretKey", found)


def _blob(block: Mapping[str, Any], found: Secrets) -> None:
    principal: Mapping[str, Any] = block.get("servicePrincipal") or {}
    ways = [name for name in ("servicePrincipal", "accountKey", "sasToken", "managedIdentity") if block.get(name)]
    if len(ways) > 1:
        raise InputError(f"{found.place}: azureBlob signs in by {' and by '.join(ways)}; keep one of them")
    for name, key in _BLOB.items():
        if value := principal.get(name):
            coded = name == "clientCertificate"
            found.auth[key] = _decoded(value, f"servicePrincipal.{name}", found) if coded else value.encode()
    if principal.get("clientCertificateSendChain"):
        found.auth["clientCertificateSendChain"] = b"1"
    if block.get("accountKey"):
        found.auth["accountKey"] = block["accountKey"].encode()
    if block.get("sasToken"):
        found.auth["sasKey"] = block["sasToken"].encode()
    if identity := (block.get("managedIdentity") or {}).get("clientId"):
        found.auth["clientId"] = identity.encode()


def _oci(block: Mapping[str, Any], found: Secrets) -> None:
    config: Mapping[str, Any] = block.get("tlsConfig") or {}
    for name, key in (("clientCertificate", "tls.crt"), ("privateKey", "tls.key"), ("caCertificate", "ca.crt")):
        if value := config.get(name):
            found.certificate[key] = _decoded(value, f"tlsConfig.{name}", found)
    for name, value in ((block.get("verify") or {}).get("verificationConfig") or {}).items():
        found.verification[name] = _decoded(value, f"verify.verificationConfig.{name}", found)


def _decoded(text: str, name: str, found: Secrets) -> bytes:
    """The value of a coded text. PEM that was not coded is taken as it is; what was coded twice is told."""
    if text.lstrip().startswith("-----BEGIN"):
        found.notes.append(Note(text=f"{found.place}: {name} is not base64 but plain PEM; taken as it is"))
        return text.encode()
    try:
        value = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{found.place}: {name} is not base64; code the value once") from error
    if value.startswith(b"LS0tLS1CRUdJTi"):
        raise InputError(f"{found.place}: {name} is coded twice; code the value once")
    if not value.isascii() and name == "httpsKey":
        found.notes.append(
            Note(text=f"{found.place}: {name} decodes to no readable text; was it given without base64?")
        )
    return value


def _lines(text: str, found: Secrets) -> bytes:
    """Known hosts; a text with blanks in it was never coded."""
    if any(character in text.strip() for character in " \t"):
        found.notes.append(Note(text=f"{found.place}: sshKnownHosts is not base64 but plain text; taken as it is"))
        value = text.encode()
    else:
        value = _decoded(text, "sshKnownHosts", found)
    return value if value.endswith(b"\n") else value + b"\n"


def _pem(value: bytes, found: Secrets) -> bytes:
    if not value.lstrip().startswith(b"-----BEGIN"):
        raise InputError(
            f"{found.place}: sshPrivateKey is no PEM text; code the whole file, BEGIN and END lines included"
        )
    if b"ENCRYPTED" in value:
        raise InputError(f"{found.place}: sshPrivateKey has a passphrase; Azure takes keys without one only")
    if value.endswith(b"\n"):
        return value
    found.notes.append(Note(text=f"{found.place}: sshPrivateKey lost its last line break; it is added"))
    return value + b"\n"
