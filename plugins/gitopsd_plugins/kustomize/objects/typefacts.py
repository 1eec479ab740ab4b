"""What strategic merging knows of Kubernetes' types: which lists are merged by which keys. Read from `types.json`.

A fact is a type's name (a map with known fields), `{"map": TYPE}` (a map with any keys) or `{"keys": [...], "of": TYPE}`
(a list merged by keys; without keys a set of scalars). None: nothing is known, lists are replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

Fact = str | dict[str, Any] | None

_PREFIX = "io.k8s."
_OLDER = {
    "admissionregistration.k8s.io/v1beta1": ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    "apiextensions.k8s.io/v1beta1": ("CustomResourceDefinition",),
    "apiregistration.k8s.io/v1beta1": ("APIService",),
    "batch/v1beta1": ("CronJob",),
    "certificates.k8s.io/v1beta1": ("CertificateSigningRequest",),
    "coordination.k8s.io/v1beta1": ("Lease",),
    "discovery.k8s.io/v1beta1": ("EndpointSlice",),
    "events.k8s.io/v1beta1": ("Event",),
    "networking.k8s.io/v1beta1": ("Ingress", "IngressClass"),
    "node.k8s.io/v1beta1": ("RuntimeClass",),
    "policy/v1beta1": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io/v1beta1": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    "scheduling.k8s.io/v1beta1": ("PriorityClass",),
    "storage.k8s.io/v1beta1": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"),
}
_SAME_AS = {
    **{f"{old}/{kind}": f"{old.removesuffix('beta1')}/{kind}" for old, kinds in _OLDER.items() for kind in kinds},
    "autoscaling/v2beta1/HorizontalPodAutoscaler": "autoscaling/v1/HorizontalPodAutoscaler",
    "autoscaling/v2beta2/HorizontalPodAutoscaler": "autoscaling/v1/HorizontalPodAutoscaler",
    "extensions/v1beta1/Ingress": "networking.k8s.io/v1/Ingress",
}
"""Older versions that kustomize still knows and current servers do not; their merge keys are those of the newer one."""


class TypeFacts:
    """The facts of one build: the built-in ones, until a schema of the user's own takes their place.

    Then only its kinds are known, but its types may refer to built-in ones.
    """

    def __init__(self) -> None:
        self._own: dict[str, Any] | None = None
        self._hints: dict[tuple[int, str], Fact] = {}
        self.fixed = False
        """Whether a kustomization has chosen already; the first one that does counts for the whole build."""

    def hinted(self, hints: Iterable[tuple[tuple[dict[str, Any], str], Fact]]) -> TypeFacts:
        """The same facts, and others for the fields at these places, map and key."""
        made = TypeFacts()
        made._own, made.fixed = self._own, self.fixed
        made._hints = {(id(holder), key): fact for (holder, key), fact in hints}
        return made

    def of_child(self, fact: Fact, field: str, *holders: Any) -> Fact:
        """The fact of a field of these maps."""
        for holder in holders if self._hints else ():
            if (id(holder), field) in self._hints:
                return self._hints[id(holder), field]
        return self.of_field(fact, field)

    def use(self, own: dict[str, Any] | None) -> None:
        """Take these facts, or for None the built-in ones, from now on."""
        self._own = own
        self.fixed = True

    def of_kind(self, api_version: Any, kind: Any) -> Fact:
        """The fact of a whole object."""
        if not isinstance(api_version, str) or not isinstance(kind, str):
            return None
        name = f"{api_version}/{kind}"
        if self._own is not None:
            own: Fact = self._own["kinds"].get(name)
            return own
        found: Fact = _table()["kinds"].get(_SAME_AS.get(name, name))
        return found

    def of_field(self, fact: Fact, field: str) -> Fact:
        """The fact of a field of a map."""
        if isinstance(fact, str):
            own = {} if self._own is None else self._own["types"]
            fields = own[fact] if fact in own else _table()["types"].get(fact.removeprefix(_PREFIX), {})
            found: Fact = fields.get(field)
            return found
        return fact.get("map") if fact is not None and "map" in fact else None


def merge_keys(fact: Fact) -> list[str] | None:
    """The keys of a list that is merged; None for one that is replaced."""
    return fact.get("keys") if isinstance(fact, dict) else None


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = msgspec.json.decode(files(__package__).joinpath("types.json").read_bytes())
    return table


BUILT_IN: Final = TypeFacts()
