"""Makes files as SOPS does, for content that a test chooses: each text sealed at its place, the code over all of them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from typing import Any

import pyrage
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gitopsd.plugin import yaml

MODIFIED = "2026-01-02T03:04:05Z"
DATA = ("data", "stringData")


def for_age(document: Mapping[str, Any], recipient: str, *, fields: tuple[str, ...] = DATA) -> str:
    """The document with what is below these fields sealed for an age recipient."""
    key = os.urandom(32)
    sealed = pyrage.encrypt(key, [pyrage.x25519.Recipient.from_str(recipient)], armored=True).decode()
    return sealed_with(document, key, {"age": [{"recipient": recipient, "enc": sealed}]}, fields=fields)


def for_vault(document: Mapping[str, Any], url: str, key: bytes, *, fields: tuple[str, ...] = DATA) -> str:
    """The same for a transit engine that opens `vault:v1:sealed` to this key."""
    entry = {"vault_address": url, "engine_path": "transit", "key_name": "main", "enc": "vault:v1:sealed"}
    return sealed_with(document, key, {"hc_vault": [{**entry, "created_at": MODIFIED}]}, fields=fields)


def for_aws(document: Mapping[str, Any], arn: str, key: bytes, *, fields: tuple[str, ...] = DATA) -> str:
    """The same for AWS KMS."""
    entry = {"arn": arn, "enc": "c2VhbGVk", "aws_profile": "", "created_at": MODIFIED}
    return sealed_with(document, key, {"kms": [entry]}, fields=fields)


def sealed_with(document: Mapping[str, Any], key: bytes, master: Mapping[str, Any], *, fields: tuple[str, ...]) -> str:
    """The document sealed with this data key, and these entries for master keys."""
    code = hashlib.sha512()
    found = _walked(document, (), key, fields, code)
    mac = _sealed(code.hexdigest().upper(), key, MODIFIED)
    rule = f"^({'|'.join(fields)})$"
    metadata = {**master, "lastmodified": MODIFIED, "mac": mac, "encrypted_regex": rule, "version": "3.13.3"}
    return yaml.write({**found, "sops": metadata})


def _walked(value: Any, path: tuple[str, ...], key: bytes, fields: tuple[str, ...], code: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _walked(item, (*path, name), key, fields, code) for name, item in value.items()}
    code.update(str(value).encode())
    return _sealed(value, key, f"{':'.join(path)}:") if not {*path}.isdisjoint(fields) else value


def _sealed(text: str, key: bytes, additional: str) -> str:
    nonce = os.urandom(32)
    whole = AESGCM(key).encrypt(nonce, text.encode(), additional.encode())
    data, tag = whole[:-16], whole[-16:]
    parts = (base64.b64encode(part).decode() for part in (data, nonce, tag))
    return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:str]".format(*parts)
