"""What advice is given on, and what it says. Plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitopsd.config.problems import Path
from gitopsd.plugin import AppIntent, Declared, Intent, ObjectRef, ResourceId, SourceIntent


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that is declared, children included, and what apps render where that is known."""

    objects: Mapping[ObjectRef, Declared]
    intents: Mapping[ObjectRef, Intent]
    newest: Mapping[str, str] = field(default_factory=dict)
    """The newest version that is served of a declared kind."""
    rendered: Mapping[ObjectRef, Mapping[ResourceId, str]] = field(default_factory=dict)
    """What an app renders, with the version of each object ('' where it is not known)."""

    def apps(self) -> Iterator[AppIntent]:
        """Every app, sorted."""
        yield from (intent for _, intent in sorted(self.intents.items()) if isinstance(intent, AppIntent))

    def sources(self) -> Iterator[SourceIntent]:
        """Every source, sorted."""
        yield from (intent for _, intent in sorted(self.intents.items()) if isinstance(intent, SourceIntent))

    def spec(self, ref: ObjectRef) -> Mapping[str, Any]:
        """The spec as it was written; {} for an object that is not declared."""
        declared = self.objects.get(ref)
        spec = declared.document.get("spec") if declared else None
        return spec if isinstance(spec, Mapping) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One safe change of a declared document: the value at a path."""

    path: Path
    value: str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing that somebody will regret: about which object, where in it, what to do, and the edit where one is safe."""

    name: str
    ref: ObjectRef
    message: str
    path: Path = ()
    edit: Edit | None = None


Rule = Callable[[Evidence], Iterator[Advice]]
