"""The digest of a generated object's content that ends its name: byte for byte kustomize's, or every Pod restarts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from gitopsd_plugins.kustomize.objects.identity import text
from gitopsd_plugins.kustomize.objects.resource import Resource

_LETTERS = str.maketrans("013ae", "ghkmt")
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def of(resource: Resource) -> str:
    """Ten characters that no word can be made of."""
    return hashlib.sha256(_encoded(resource).encode()).hexdigest()[:10].translate(_LETTERS)


def _encoded(resource: Resource) -> str:
    body = resource.body
    if resource.kind not in {"ConfigMap", "Secret"}:
        return _json(body)
    # kustomize looks for a field called "metadata/name", which is not there: equal content has equal digests
    content: dict[str, Any] = {"kind": resource.kind, "name": "", "data": _map(body, "data")}
    if resource.kind == "Secret":
        content["type"] = text(body.get("type"))
    extra = "stringData" if resource.kind == "Secret" else "binaryData"
    if isinstance(body.get(extra), dict):
        content[extra] = body[extra]
    return _json(content)


def _map(body: dict[str, Any], field: str) -> Any:
    value = body.get(field)
    return value if isinstance(value, dict) else text(value)


def _json(value: Any) -> str:
    """JSON as Go writes it: sorted keys, no blanks, and what HTML would trip over escaped."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPES)
