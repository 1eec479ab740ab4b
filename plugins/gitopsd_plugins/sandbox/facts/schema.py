"""The shape of a value: what server-side apply, patches, decoding, pruning and defaulting need to know of a field.

One node type for built-in types (`type_table.py` makes them of the type table) and custom resources (`crd.py` makes them of an
OpenAPI schema), so that every algorithm is written once. Nodes may form cycles. It knows no kinds and no objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, field

Json = dict[str, Any]
"""A decoded JSON object. `Any` only here, at the edge: what may be inside is what a `Schema` says."""

Shape = Literal["any", "scalar", "list", "map"]


class Schema(Struct, eq=False):
    """A node. Written only while it is built (cycles need that), read-only afterwards.

    `any`: the value decides; its maps are granular, its lists atomic. `map`: named `fields`, and `element` for all other
    keys (None: other keys are unknown). `atomic` maps and lists have one owner as a whole. Lists that are neither atomic
    nor keyed by `keys` are sets. `defaults` are the values of absent fields; `{}` stands for a struct that is always there.
    """

    shape: Shape = "any"
    scalar: str = ""
    """string, boolean, integer, int32, int64, double, byte, date-time, quantity, int-or-string, enum or ''."""
    fields: dict[str, Schema] = field(default_factory=dict)
    element: Schema | None = None
    atomic: bool = False
    keys: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    omits: frozenset[str] = frozenset()
    """Scalars whose zero is as good as none: `hostNetwork: false`."""
    zeros: Mapping[str, Any] = field(default_factory=dict)
    """What fields are written as that nobody set: `rules: null`."""
    merge_key: str = ""
    """The key of a strategic merge patch; '' replaces the list."""
    strategy: str = ""
    """`merge`, `replace`, `retainKeys` or `merge,retainKeys`, for strategic merge patches."""
    nullable: bool = False
    rules: Mapping[str, Any] = field(default_factory=dict)
    """Checks of a custom resource's schema: enum, pattern, minimum, maxLength, ..."""
    has_expressions: bool = False
    """Whether rules in CEL stand here or below."""
    type_name: str = ""
    """The built-in type that this node was made of, for example `io.k8s.api.core.v1.Container`."""

    def child(self, name: str) -> Schema | None:
        """The schema of a map's key; None when the key is unknown."""
        if self.shape == "any":
            return ANY
        return self.fields.get(name) or self.element


ANY = Schema()
STRING = Schema(shape="scalar", scalar="string")
