"""Secret and ConfigMap documents: the data in them, decoded, and shown to nobody."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gitopsd.plugin import Spec, SpecError, spec

_LINE_ENDS = {10: None, 13: None}
"""Go's decoder passes over them too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The data of one Secret or ConfigMap by key; never part of a message or a log line."""

    values: Mapping[str, bytes] = field(repr=False)


class SecretDocument(Spec, frozen=True, kw_only=True):
    """A whole `Secret` document."""

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: dict[str, Any]
    type: str = ""
    immutable: bool = False
    data: dict[str, str] | None = None
    """Values in base64."""
    string_data: dict[str, str] | None = None
    """Values as they are; they win over `data`."""


class ConfigMapDocument(Spec, frozen=True, kw_only=True):
    """A whole `ConfigMap` document."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: dict[str, Any]
    immutable: bool = False
    data: dict[str, str] | None = None
    """Values as they are."""
    binary_data: dict[str, str] | None = None
    """Values in base64."""


def secret(document: Mapping[str, Any]) -> Data:
    """The data of a Secret. Raises `SpecError`, which names keys and never values."""
    decoded = spec.decode(document, SecretDocument)
    return Data(values={**_decoded(decoded.data, "data"), **_encoded(decoded.string_data)})


def config_map(document: Mapping[str, Any]) -> Data:
    """The data of a ConfigMap. Raises `SpecError`."""
    decoded = spec.decode(document, ConfigMapDocument)
    return Data(values={**_encoded(decoded.data), **_decoded(decoded.binary_data, "binaryData")})


def _encoded(values: Mapping[str, str] | None) -> Mapping[str, bytes]:
    return {key: value.encode("utf-8", "surrogatepass") for key, value in (values or {}).items()}


def _decoded(values: Mapping[str, str] | None, field_name: str) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for key, value in (values or {}).items():
        try:
            found[key] = base64.b64decode(value.translate(_LINE_ENDS), validate=True)
        except ValueError:
            message = "is not base64; encode it, or use stringData"
            raise SpecError(message, path=(field_name, key)) from None  # the cause would quote the value
    return found
