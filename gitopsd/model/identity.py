"""Who is who: declared objects, and the objects that they put into a cluster.

A declared object (a Flux object in a file or a cluster) is an `ObjectRef`; what it applies is known by `ResourceId`.
Version is not part of an identity: `apps/v1` and `apps/v1beta1` of one Deployment are the same object.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectRef:
    """A declared object, as users write it: `Kustomization/flux-system/apps`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str, *, namespace: str = "") -> ObjectRef:
        """Read `Kind/namespace/name`, or `Kind/name` in `namespace`. Raises ValueError on any other form."""
        match text.strip().split("/"):
            case [kind, ns, name] if kind and ns and name:
                return cls(kind=kind, namespace=ns, name=name)
            case [kind, name] if kind and name and namespace:
                return cls(kind=kind, namespace=namespace, name=name)
        raise ValueError(f"{text!r} is not KIND/NAMESPACE/NAME")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ResourceId:
    """An object in a named cluster. `group` is empty for the core group, `namespace` for cluster-wide kinds."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"
