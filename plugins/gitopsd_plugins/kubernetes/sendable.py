"""A manifest as it is sent: without what only the server writes, and with what server-side apply cannot track put right.

Pure, and the same for the rehearsal and the apply. `stringData` becomes `data`: the server moves it there itself, but would
then not know who owns the keys, so that one removed from Git would stay for ever. A definition's `caBundle` that holds no
certificate (a placeholder, to be filled in by somebody else) is left out, because the server refuses it.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Mapping
from typing import Any

import msgspec

from gitopsd.plugin import Body

_SERVERS_OWN = frozenset({"creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"})

_NOT_SO_IN_YAML = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbf[\xbe\xbf]")
"""In UTF-8: characters that YAML refuses as they are, and those that it takes for an end of line."""


def text(body: Body) -> bytes:
    """JSON that says the same when it is read as YAML, as a server reads an apply.

    As they are, it would refuse control characters, and fold a next line (U+0085) or a separator (U+2028, U+2029) into less.
    """
    return _NOT_SO_IN_YAML.sub(lambda found: rb"\u%04x" % ord(found[0].decode()), msgspec.json.encode(body))


def of(body: Body) -> dict[str, Any]:
    """The body to send; the given one is not changed."""
    kept = {key: value for key, value in body.items() if key != "status"}
    metadata = kept.get("metadata") or {}
    kept["metadata"] = {key: value for key, value in metadata.items() if key not in _SERVERS_OWN}
    match kept.get("apiVersion"), kept.get("kind"):
        case "v1", "Secret":
            return _with_encoded_strings(kept)
        case str(version), "CustomResourceDefinition" if version.startswith("apiextensions.k8s.io/"):
            return _without_placeholder(kept)
    return kept


def _with_encoded_strings(secret: dict[str, Any]) -> dict[str, Any]:
    strings = secret.get("stringData")
    if not isinstance(strings, Mapping) or not all(isinstance(value, str) for value in strings.values()):
        return secret  # of another shape: the server says what is wrong with it
    encoded = {key: base64.b64encode(value.encode()).decode("ascii") for key, value in strings.items()}
    kept = {key: value for key, value in secret.items() if key != "stringData"}
    return {**kept, "data": {**(kept.get("data") or {}), **encoded}}


def _without_placeholder(definition: dict[str, Any]) -> dict[str, Any]:
    spec = _mapping(definition.get("spec"))
    conversion = _mapping(spec.get("conversion"))
    webhook = _mapping(conversion.get("webhook"))
    config = _mapping(webhook.get("clientConfig"))
    if not config.get("caBundle") or _is_certificate(config["caBundle"]):
        return definition
    config = {key: value for key, value in config.items() if key != "caBundle"}
    conversion = {**conversion, "webhook": {**webhook, "clientConfig": config}}
    return {**definition, "spec": {**spec, "conversion": conversion}}


def _is_certificate(bundle: Any) -> bool:
    try:
        text = base64.b64decode(bundle, validate=True).decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (binascii.Error, ValueError, TypeError, ssl.SSLError):
        return False
    return True


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
