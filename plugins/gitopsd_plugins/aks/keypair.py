"""A key pair for an ssh url that came without one, as the extension makes it. A pair that the secrets file holds is kept."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gitopsd.plugin import yaml
from gitopsd.plugin.imports import Import, Imported, Note, Wanted
from gitopsd_plugins.aks.resource import InputError

MISSING = ("identity", "known_hosts")
"""What a Secret lacks that nothing was given for."""


def completed(found: Import, secrets: Path) -> Import:
    """The import with a Secret for each source that wants a key. Raises `InputError` for a secrets file that is none."""
    wanting = [wanted for wanted in found.wanted if wanted.keys == MISSING]
    if not wanting:
        return found
    kept = _kept(secrets)
    made = [_secret(wanted, kept.get((wanted.namespace, wanted.name)) or _pair()) for wanted in wanting]
    hosts = {
        replace(wanted, keys=("known_hosts",))
        for wanted, it in zip(wanting, made, strict=True)
        if "known_hosts" not in it.body["data"]
    }
    notes = [
        Note(text=f"{wanted.by}: give this public key to the repository: {_public(it)}")
        for wanted, it in zip(wanting, made, strict=True)
    ]
    rest = {wanted for wanted in found.wanted if wanted.keys != MISSING}
    return replace(
        found,
        secrets=(*found.secrets, *made),
        wanted=tuple(sorted(rest | hosts)),
        notes=(*found.notes, *notes),
    )


def _pair() -> Mapping[str, str]:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return {key: base64.b64encode(value).decode() for key, value in (("identity", pem), ("identity.pub", public))}


def _secret(wanted: Wanted, data: Mapping[str, str]) -> Imported:
    metadata = {"name": wanted.name, "namespace": wanted.namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": dict(data)}
    return Imported(body=body, heading=f"made for {wanted.by}")


def _public(it: Imported) -> str:
    """The public half; of a key that somebody put there without it, that it is not known."""
    coded = it.body["data"].get("identity.pub", "")
    return base64.b64decode(coded).decode("ascii", "replace").strip() or "(that of the identity in the secrets file)"


def _kept(path: Path) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """The data of the Secrets with an identity that the file holds, by namespace and name."""
    if not path.exists():
        return {}
    try:
        values: list[Any] = [document.value for document in yaml.read_all(path.read_bytes(), file=str(path))]
    except (OSError, yaml.YamlError) as error:
        raise InputError(f"{path}: is not read, and would be written over: {error}") from error
    items = [item for value in values if isinstance(value, Mapping) for item in value.get("items") or [value]]
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for item in items:
        data, metadata = item.get("data") or {}, item.get("metadata") or {}
        if item.get("kind") == "Secret" and "identity" in data:
            found[(metadata.get("namespace", ""), metadata.get("name", ""))] = data
    return found
