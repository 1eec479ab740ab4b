"""What real tools left in a cluster (tests/data/managed), to be put into another one with the very managers of its fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON_PATCH = "application/json-patch+json"
_FOLDER = Path(__file__).parents[1] / "data" / "managed"
TOOLS = tuple(sorted(file.stem for file in _FOLDER.glob("*.json")))
CONFIG_MAPS, DEPLOYMENTS = "/api/v1/namespaces/{}/configmaps", "/apis/apps/v1/namespaces/{}/deployments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An object to create in a collection, and the patch that gives its fields their managers afterwards."""

    collection: str
    body: dict[str, Any]
    patch: list[dict[str, Any]]

    @property
    def path(self) -> str:
        """Of the object itself."""
        return f"{self.collection}/{self.body['metadata']['name']}"


def by(tool: str, namespace: str) -> Sequence[Recorded]:
    """The tool's ConfigMap `a` and Deployment `web`."""
    bodies = json.loads((_FOLDER / f"{tool}.json").read_text().replace("NAMESPACE", namespace))
    return [
        _recorded(body, path.format(namespace)) for body, path in zip(bodies, (CONFIG_MAPS, DEPLOYMENTS), strict=True)
    ]


def _recorded(body: dict[str, Any], collection: str) -> Recorded:
    managers = body["metadata"].pop("managedFields")
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": managers}]
    return Recorded(collection=collection, body=body, patch=patch)
