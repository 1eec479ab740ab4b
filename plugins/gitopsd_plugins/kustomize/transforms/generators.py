"""ConfigMaps and Secrets made from files and literals."""

from __future__ import annotations

import base64
from typing import Any

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.files import pairs
from gitopsd_plugins.kustomize.files.kustomization import Generator, GeneratorOptions
from gitopsd_plugins.kustomize.files.loader import Loader
from gitopsd_plugins.kustomize.objects.resource import Resource

_LINE = 70
_BEHAVIORS = {"": "", "unspecified": "", "create": "create", "merge": "merge", "replace": "replace"}


def config_map(generator: Generator, shared: GeneratorOptions | None, loader: Loader) -> Resource:
    """The ConfigMap; values that are not UTF-8 go to binaryData, encrypted files as they are."""
    body = _base("ConfigMap", generator)
    for key, value in sorted(pairs.read(generator, loader, sealed=True).items()):
        try:
            body.setdefault("data", {})[key] = value.decode()
        except UnicodeDecodeError:
            body.setdefault("binaryData", {})[key] = _base64(value)
    return _finished(body, generator, shared)


def secret(generator: Generator, shared: GeneratorOptions | None, loader: Loader) -> Resource:
    """The Secret; all values in base64, long ones in lines as kustomize folds them."""
    body = _base("Secret", generator)
    body["type"] = generator.type or "Opaque"
    body["data"] = {key: _base64(value) for key, value in sorted(pairs.read(generator, loader, sealed=False).items())}
    return _finished(body, generator, shared)


def _base(kind: str, generator: Generator) -> dict[str, Any]:
    if not generator.name:
        raise Rejected(f"a {kind} generator must have a name")
    if kind != "Secret" and generator.type:
        raise Rejected(f"configMapGenerator {generator.name}: only a secretGenerator has a type")
    metadata = {"name": generator.name}
    if generator.namespace:
        metadata["namespace"] = generator.namespace
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def _finished(body: dict[str, Any], generator: Generator, shared: GeneratorOptions | None) -> Resource:
    """Options of the generator win over those of the file, but what either switches on is on."""
    own, shared = generator.options or GeneratorOptions(), shared or GeneratorOptions()
    for field, values in (
        ("labels", shared.labels | own.labels),
        ("annotations", shared.annotations | own.annotations),
    ):
        if values:
            body["metadata"][field] = dict(sorted(values.items()))
    if own.immutable or shared.immutable:
        body["immutable"] = True
    hashed = not (own.disable_name_suffix_hash or shared.disable_name_suffix_hash)
    return Resource(body, hashed=hashed, behavior=_BEHAVIORS.get(generator.behavior, ""))


def _base64(value: bytes) -> str:
    encoded = base64.b64encode(value).decode("ascii")
    if len(encoded) < _LINE:
        return encoded
    return "".join(f"{encoded[at : at + _LINE]}\n" for at in range(0, len(encoded), _LINE))
